"""Promise 1: no answer mixes two generations, and each names the one that it is of."""

import numpy as np
from sentence_transformers import SentenceTransformer

from tests.promises.swap import Swapped

# Batches differ between the service and the offline computation, and with them the last bits.
TOLERANCE = 1e-4


def test_every_client_sees_the_generations_in_order(swapped: Swapped) -> None:
    for client in swapped.clients:
        seen = [answer["generation"] for answer in client.answers]
        assert seen == sorted(seen)
        assert set(seen) == {1, 2}


def test_an_answer_names_one_generation_in_header_and_body(swapped: Swapped) -> None:
    models = {1: "blue", 2: "green"}
    for client in swapped.clients:
        for answer in client.answers:
            assert answer["headers"] == (answer["model"], answer["generation"])
            assert answer["model"].partition("@")[0] == models[answer["generation"]]


def test_every_score_is_that_of_the_generation_that_the_answer_names(swapped: Swapped) -> None:
    answers = [answer for client in swapped.clients for answer in client.answers if answer["results"]]
    texts = sorted({result["text"] for answer in answers for result in answer["results"]})
    queries = sorted({answer["query"] for answer in answers})
    for number, name in ((1, "blue"), (2, "green")):
        model = SentenceTransformer(str(swapped.server.checkpoints / name), device="cpu")
        documents = dict(zip(texts, model.encode_document(texts, normalize_embeddings=True), strict=True))
        questions = dict(zip(queries, model.encode_query(queries, normalize_embeddings=True), strict=True))
        differences: dict[bool, list[float]] = {True: [], False: []}
        for answer in answers:
            differences[answer["generation"] == number] += [
                abs(float(np.dot(questions[answer["query"]], documents[result["text"]])) - result["score"])
                for result in answer["results"]
            ]
        assert max(differences[True]) < TOLERANCE
        # The other model has other scores.
        assert np.median(differences[False]) > 10 * TOLERANCE

"""Promise 1: no answer mixes two generations or two rerankers, and each names those that it is of."""

from itertools import pairwise, product

import numpy as np
from sentence_transformers import SentenceTransformer

from tests.promises.exchange import ENCODERS, RERANKERS, TOP, Exchanged
from tests.promises.swap import Swapped
from tests.support.oracle import Oracle

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


def test_a_reranked_answer_names_one_encoder_and_one_reranker_in_header_and_body(exchanged: Exchanged) -> None:
    numbers = dict(enumerate(ENCODERS, 1))
    for reader in exchanged.readers:
        assert reader.pairs == set(product(ENCODERS, RERANKERS))
        for answer in reader.searches:
            assert answer["headers"] == [answer["model"], str(answer["generation"]), answer["reranker"]]
            assert answer["model"] in exchanged.encoders
            assert answer["model"].partition("@")[0] == numbers[answer["generation"]]
            assert answer["reranker"] in exchanged.rerankers


def test_both_scores_of_a_reranked_result_are_those_of_the_pair_that_its_answer_names(exchanged: Exchanged) -> None:
    oracle = Oracle(exchanged.encoders, exchanged.rerankers)
    queries = sorted({query for reader in exchanged.readers for query in reader.queries})
    texts = exchanged.texts
    cosines = {
        (model, query): dict(zip(texts, oracle.scores(model, query, [*texts.values()]), strict=True))
        for model, query in product(exchanged.encoders, queries)
    }
    pairs = [(query, text) for query, text in product(queries, texts.values())]
    relevances = {
        (reranker, query, text): score
        for reranker in exchanged.rerankers
        for (query, text), score in zip(pairs, oracle.relevances(reranker, pairs), strict=True)
    }
    by_others: list[float] = []
    for answer in (answer for reader in exchanged.readers for answer in reader.searches):
        model, query, reranker, results = (answer[name] for name in ("model", "query", "reranker", "results"))
        (other,) = exchanged.rerankers.keys() - {reranker}
        assert len(results) == TOP
        for result in results:
            first = result["explain"]["first"]["score"]
            assert abs(cosines[model, query][result["id"]] - first) < TOLERANCE
            assert abs(relevances[reranker, query, result["text"]] - result["score"]) < TOLERANCE
            by_others.append(abs(relevances[other, query, result["text"]] - result["score"]))
        assert all(later["score"] <= earlier["score"] for earlier, later in pairwise(results))
        # The documents that the reranker ordered are the nearest by that encoder.
        least = min(result["explain"]["first"]["score"] for result in results)
        nearest = {identity for identity, cosine in cosines[model, query].items() if cosine > least + TOLERANCE}
        assert nearest <= {result["id"] for result in results}
    # The other reranker has other scores.
    assert np.median(by_others) > 10 * TOLERANCE
    for answer in (answer for reader in exchanged.readers for answer in reader.scored):
        for text, score in answer["scores"].items():
            assert abs(relevances[answer["reranker"], answer["query"], text] - score) < TOLERANCE

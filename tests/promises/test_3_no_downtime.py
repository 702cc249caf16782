"""Promise 3: neither a reload nor a rollback, of an encoder or of a reranker, causes a failed request."""

from tests.promises.exchange import Exchanged
from tests.promises.swap import DOCUMENTS, Swapped


def test_reload_ends_and_counts_what_it_embedded(swapped: Swapped) -> None:
    assert swapped.job["state"] == "done", swapped.job
    assert swapped.job["generation"] == 2
    assert swapped.job["done"] == swapped.job["total"] >= DOCUMENTS


def test_no_request_fails_during_a_reload(swapped: Swapped) -> None:
    assert [failure for client in swapped.clients for failure in client.failures] == []
    assert sum(len(client.answers) for client in swapped.clients) > 100


def test_no_request_fails_while_encoder_and_reranker_are_swapped_at_once(exchanged: Exchanged) -> None:
    assert [failure for reader in exchanged.readers for failure in reader.failures] == []
    assert sum(len(reader.searches) for reader in exchanged.readers) > 50
    assert sum(len(reader.scored) for reader in exchanged.readers) > 5

"""Promise 3: a reload causes no failed request."""

from tests.promises.swap import DOCUMENTS, Swapped


def test_reload_ends_and_counts_what_it_embedded(swapped: Swapped) -> None:
    assert swapped.job["state"] == "done", swapped.job
    assert swapped.job["generation"] == 2
    assert swapped.job["done"] == swapped.job["total"] >= DOCUMENTS


def test_no_request_fails_during_a_reload(swapped: Swapped) -> None:
    assert [failure for client in swapped.clients for failure in client.failures] == []
    assert sum(len(client.answers) for client in swapped.clients) > 100

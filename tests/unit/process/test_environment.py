"""The service adds to the environment what it wants there, and replaces nothing."""

from service.process.environment import WANTED, prepare


def test_what_somebody_else_wants_stays() -> None:
    environment = {"OPENBLAS_NUM_THREADS": "4", "HOME": "/root"}
    prepare(environment)
    assert environment == {**WANTED, "OPENBLAS_NUM_THREADS": "4", "HOME": "/root"}

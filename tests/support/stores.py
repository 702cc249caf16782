"""The stores that tests run on: files in the data folder, and a schema of PostgreSQL.

A test runs on both if it can fail on one alone: if it is about what is durable, written and activated as a whole,
deleted, restored, or kept apart. Nothing above the seams of the stores knows which one is there, so other tests run on
files, which start faster.

On PostgreSQL they run at night, because the contract suites say by day that both stores do the same.
"""

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import pytest

FILES, POSTGRESQL = ("files", "postgresql")
# A test that has it takes the settings of its services from the fixture `store`, perhaps by way of `tiny_server`.
BY_DAY_AND_NIGHT = (FILES, pytest.param(POSTGRESQL, marks=pytest.mark.nightly))
on_both_stores = pytest.mark.parametrize("store", BY_DAY_AND_NIGHT, indirect=True)
on_postgresql = pytest.mark.parametrize("store", [POSTGRESQL], indirect=True)

Settings = Mapping[str, Any]


def settings(store: str, request: pytest.FixtureRequest) -> Settings:
    """The settings of a service on a store of its own."""
    if store == FILES:
        return {}
    return {"STORE": request.getfixturevalue("database").url(), "REPLICAS__DB_SCHEMA": f"s{uuid4().hex}"}

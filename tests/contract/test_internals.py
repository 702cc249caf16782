"""Internals of three libraries that the service relies on, by name; pyproject.toml pins their minor versions.

A new minor version is allowed there when these tests, and those of what uses the names, pass with it.
"""

import asyncio
import importlib
import sys

import faiss
import numpy as np
import torch
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

# service/process/connection.py overrides or calls the methods, and reads the attributes.
UVICORN_METHODS = (
    "connection_made",
    "connection_lost",
    "data_received",
    "on_message_begin",
    "on_headers_complete",
    "on_message_complete",
    "send_400_response",
)
UVICORN_ATTRIBUTES = ("loop", "transport", "scope", "flow", "pipeline")


def test_a_connection_of_uvicorn_has_what_ours_uses() -> None:
    async def missing() -> list[str]:
        connection = HttpToolsProtocol(Config(lambda *_: None), ServerState(), {})
        return [name for name in (*UVICORN_METHODS, *UVICORN_ATTRIBUTES) if not hasattr(connection, name)]

    assert asyncio.run(missing()) == []


def test_an_index_of_faiss_can_refer_to_an_array() -> None:
    rows = np.arange(32, dtype=np.float32).reshape(4, 8)
    index = faiss.IndexFlatIP(8)
    owner = faiss.MaybeOwnedVectorUInt8().owner
    codes = rows.view(np.uint8).reshape(-1)
    index.codes = faiss.MaybeOwnedVectorUInt8.create_view(faiss.swig_ptr(codes), len(codes), owner)
    index.ntotal = len(rows)
    rows[0] = 100
    assert index.search(np.ones((1, 8), np.float32), 1)[0][0, 0] == 800


def test_a_graph_of_faiss_shows_its_links_and_takes_others() -> None:
    graph = faiss.IndexHNSWFlat(8, 4)
    graph.add(np.eye(8, dtype=np.float32))
    neighbors = graph.hnsw.neighbors
    links = faiss.rev_swig_ptr(neighbors.data(), neighbors.size()).copy()
    assert links.dtype == np.int32
    graph.hnsw.neighbors = faiss.MaybeOwnedVectorInt32.create_view(
        faiss.swig_ptr(links), len(links), faiss.MaybeOwnedVectorInt32().owner
    )
    assert graph.search(np.eye(8, dtype=np.float32)[:1], 1)[1][0, 0] == 0
    assert (graph.storage is not None, graph.own_fields) == (True, True)


def test_openvino_converts_models_of_torch_and_tells_nobody() -> None:
    importlib.import_module("service.models.engines.openvino")
    assert sys.modules["openvino_telemetry"] is None
    frontend = importlib.import_module("openvino.frontend")
    for name in ("GeneralFailure", "NotImplementedFailure", "OpConversionFailure", "OpValidationFailure"):
        assert issubclass(getattr(frontend, name), Exception)
    openvino = importlib.import_module("openvino")
    assert openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    assert openvino.convert_model(torch.nn.Identity(), example_input=torch.zeros(1)).outputs

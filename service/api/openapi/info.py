"""The OpenAPI document on the route that says what runs."""

from service import __version__
from service.api.openapi.examples import FINGERPRINT, MODEL
from service.api.openapi.operation import Operation, success
from service.models.encoding import TOKENIZING_THREADS

_INFO = {
    "version": __version__,
    "model": MODEL,
    "generation": 1,
    "fingerprint": FINGERPRINT,
    "dimensions": 384,
    "engine": "openvino int8",
    "engine_reason": "its least cosine to torch is 0.99937; OpenVINO int8 by groups in sequences is 1.21 times as fast"
    " as OpenVINO in sequences on this processor",
    "max_length": 256,
    "prompts": {"query": "", "document": ""},
    "retained": [],
    "documents": 330,
    "windows": 330,
    "collections": {"default": 330},
    "recall": {},
    "judged": {"queries": 112, "judging": 34},
    "weights": {
        "default": {
            "dense": 0.64,
            "keyword": 0.36,
            "source": "estimated",
            "queries": 200,
            "documents": 330,
            "last_write": 330,
        }
    },
    "activated": "2026-11-23T15:15:54Z",
    "activated_by": None,
    "reranker": None,
    "search_log": {"keep": "feedback", "failure": None},
    "reload": None,
    "warnings": [],
    "lineage": {},
    "model_id": "all-MiniLM-L6-v2",
    "model_sha": "386118f074db",
    "model_dtype": "int8",
    "served_model_name": MODEL,
    "model_type": {"embedding": {"pooling": "mean"}},
    "max_input_length": 256,
    "max_batch_tokens": 1024,
    "max_batch_requests": None,
    "max_client_batch_size": 4096,
    "max_concurrent_requests": None,
    "auto_truncate": True,
    "tokenization_workers": TOKENIZING_THREADS,
}

INFO = Operation("What runs", {200: success("What runs.", _INFO)})

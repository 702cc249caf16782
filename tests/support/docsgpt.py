"""DocsGPT's vector store `deploy/docsgpt/instar.py` without DocsGPT, of which there is what the store imports."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, NoReturn

STORE = Path(__file__).parents[2] / "deploy" / "docsgpt" / "instar.py"


class Document(str):
    """As `application.vectorstore.document_class` has it."""

    page_content: str
    metadata: dict[str, Any]

    def __new__(cls, page_content: str, metadata: dict[str, Any]) -> "Document":
        instance = super().__new__(cls, page_content)
        instance.page_content = page_content
        instance.metadata = metadata
        return instance


class BaseVectorStore:
    """As `application.vectorstore.base` has it, where `_get_embeddings` loads a model."""

    def keyword_search(self, question: str, k: int = 10) -> list[Document]:  # noqa: ARG002
        return []

    def _get_embeddings(self, embeddings_name: str, embeddings_key: str | None = None) -> NoReturn:
        raise AssertionError(f"{embeddings_name} is loaded, with {embeddings_key}")


def load_store(**settings: Any) -> ModuleType:
    """The store's module, new, with DocsGPT's `settings`. Its imports of DocsGPT are there only while it is loaded."""
    contents: dict[str, dict[str, Any]] = {
        "application": {},
        "application.core": {},
        "application.core.settings": {"settings": SimpleNamespace(**settings)},
        "application.vectorstore": {},
        "application.vectorstore.base": {"BaseVectorStore": BaseVectorStore},
        "application.vectorstore.document_class": {"Document": Document},
    }
    spec = importlib.util.spec_from_file_location("application.vectorstore.instar", STORE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    for name, content in contents.items():
        sys.modules[name] = ModuleType(name)
        vars(sys.modules[name]).update(content)
    try:
        spec.loader.exec_module(module)
    finally:
        for name in contents:
            del sys.modules[name]
    return module

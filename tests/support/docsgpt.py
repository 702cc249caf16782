"""The files of `deploy/docsgpt` without DocsGPT, of which there is what the vector store imports."""

import importlib.util
import sys
from importlib.abc import Loader
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, NoReturn

DEPLOY = Path(__file__).parents[2] / "deploy" / "docsgpt"
STORE = DEPLOY / "instar.py"
FEEDBACK = DEPLOY / "feedback.py"


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
    loader, module = _unloaded("application.vectorstore.instar", STORE)
    for name, content in contents.items():
        sys.modules[name] = ModuleType(name)
        vars(sys.modules[name]).update(content)
    try:
        loader.exec_module(module)
    finally:
        for name in contents:
            del sys.modules[name]
    return module


def load_feedback() -> ModuleType:
    """The script that sends thumbs, as a module."""
    loader, module = _unloaded("instar_feedback", FEEDBACK)
    # Dataclasses look their module up.
    sys.modules[module.__name__] = module
    loader.exec_module(module)
    return module


def _unloaded(name: str, path: Path) -> tuple[Loader, ModuleType]:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    return spec.loader, importlib.util.module_from_spec(spec)

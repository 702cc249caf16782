"""The OpenAPI document as a whole: its introduction, its tags, and corrections of FastAPI's own."""

import re
from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from pydantic import TypeAdapter

from service.api.error_forms import FORMS
from service.api.openapi import nulls
from service.api.openapi.operation import SCHEMAS
from service.search.retrieval import Mode

DESCRIPTION = """\
Instar embeds texts, and stores and searches documents. On one request it loads another model, embeds all documents
again beside the running index, and switches model and index in one step: no request fails, and no answer mixes two
models.

- A **document** is one chunk of text with an id, metadata and a collection. A **checkpoint** is an immutable model,
  named `name@` and 12 digits of its content hash. A **generation** is one loaded checkpoint and the index that was
  built with it: the active one answers, retained ones are kept for rollback. A **reload** builds a generation and
  activates it.
- Answers that used a model name it in the headers `X-Instar-Model` and `X-Instar-Generation`.
- The message of an error says what is wrong and what to do. The routes of OpenAI (`/v1`) and of
  text-embeddings-inference (`/embed`, `/embed_all`, `/similarity`, `/tokenize`, `/decode`) answer errors in their form,
  all others in ours.
- If the service has keys, send `Authorization: Bearer KEY`. The admin key opens all routes. If it has none, it ignores
  that header.
- New fields may be added to answers. Clients should ignore fields that they do not know.
"""
TAGS = [
    {"name": "search", "description": "Find documents: by vector, by keyword, or by both."},
    {"name": "feedback", "description": "Say what users did with the answers."},
    {"name": "documents", "description": "Write, read, list and delete documents."},
    {"name": "embedding", "description": "Embed texts, for those who keep vectors themselves."},
    {"name": "events", "description": "Learn that the model has changed."},
    {"name": "admin", "description": "Replace the model, go back, save."},
    {
        "name": "health",
        "description": "Ask whether the service lives, whether it can answer, and what runs; read its metrics.",
    },
]

_FASTAPI_ERROR = "HTTPValidationError"


class DocumentedApp(FastAPI):
    """An application that corrects FastAPI's OpenAPI document where it differs from the answers.

    `default_mode` is the mode of searches that name none, which is a setting.
    """

    def __init__(self, *, default_mode: Mode, **settings: Any) -> None:
        super().__init__(**settings)
        self._default_mode = default_mode

    def openapi(self) -> dict[str, Any]:
        """Return the document, which the first call makes."""
        if self.openapi_schema is None:
            document = super().openapi()
            schemas = document["components"]["schemas"]
            for form in FORMS:
                _named(TypeAdapter(form.schema).json_schema(ref_template=SCHEMAS, mode="serialization"), schemas)
            document = nulls.show(document)
            schemas = document["components"]["schemas"]
            for operation in _operations(document):
                _name_schemas(operation.get("requestBody", {}), schemas)
                # FastAPI assumes that wrong parameters are answered in its own form.
                if _FASTAPI_ERROR in str(operation["responses"].get("422")):
                    del operation["responses"]["422"]
                operation["responses"] = dict(sorted(operation["responses"].items()))
            schemas["SearchRequest"]["properties"]["mode"]["default"] = self._default_mode
            for name in (_FASTAPI_ERROR, "ValidationError"):
                schemas.pop(name, None)
            self.openapi_schema = document
        return self.openapi_schema

    def methods(self, path: str) -> list[str]:
        """Return the methods of all routes to a path."""
        return sorted(
            {
                method.upper()
                for template, operations in self.openapi()["paths"].items()
                if re.fullmatch(_pattern(template), path)
                for method in operations
            }
        )


def _pattern(template: str) -> str:
    """Return a regular expression for the paths of a template. Only ids of documents have slashes."""
    part = ".+" if template.startswith("/documents/") else "[^/]+"
    return re.sub(r"\\\{\w+\\\}", part, re.escape(template))


def _operations(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for path in (*document["paths"].values(), *document.get("webhooks", {}).values()):
        yield from path.values()


def _name_schemas(body: dict[str, Any], schemas: dict[str, Any]) -> None:
    """Move schemas of models out of a request body into `schemas`, beside those that FastAPI has made."""
    for content in body.get("content", {}).values():
        kinds = content["schema"].get("anyOf")
        if kinds is not None:
            content["schema"]["anyOf"] = [_named(kind, schemas) for kind in kinds]
        elif "$defs" in content["schema"]:
            content["schema"] = _named(content["schema"], schemas)


def _named(schema: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    """Move the schema of a model, and of the models in it, into `schemas`, and return a reference to it."""
    if "title" not in schema:
        return schema
    schemas.update(schema.pop("$defs", {}))
    schemas[schema["title"]] = schema
    return {"$ref": SCHEMAS.format(model=schema["title"])}

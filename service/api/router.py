"""Routes as lines of code: a method with a path, its handler, and its words in the OpenAPI document."""

from collections.abc import Callable, Collection
from inspect import signature
from typing import Any, get_args, get_origin, get_type_hints

from fastapi import APIRouter, Depends

from service.access.keyring import Keyring, Scope
from service.access.limits import RateLimits
from service.api.auth import Auth
from service.api.bodies import strict_route
from service.api.error_forms import INSTAR, ErrorForm
from service.api.inputs import refuse_collection_in_query
from service.api.openapi.errors import KEYED, WORKING
from service.api.openapi.operation import Operation, failing


class Admission:
    """The conditions of every request: a key with the right scope, and a body that is not too long."""

    def __init__(self, keyring: Keyring, limits: RateLimits, max_body: int) -> None:
        self._keyring = keyring
        self._limits = limits
        self.route_class = strict_route(max_body)

    def needs(self, scope: Scope, others: Collection[Scope] = ()) -> Auth:
        """Return the check for a key with that scope, or with one of `others`."""
        return Auth(self._keyring, self._limits, scope, others)


class Router(APIRouter):
    """The routes of one group, which share their admission and their form of errors."""

    def __init__(self, admission: Admission, tag: str, scope: Scope, form: ErrorForm = INSTAR) -> None:
        """The document lists the group under `tag`. A route needs a key with `scope` unless it names another scope."""
        super().__init__(route_class=admission.route_class, tags=[tag], responses=failing(form, *KEYED, *WORKING))
        self._admission = admission
        self._scope: Scope = scope

    def add(
        self,
        call: str,
        handler: Callable[..., Any],
        operation: Operation,
        scope: Scope | None = None,
        others: Collection[Scope] = (),
    ) -> None:
        """Answer `call`, a method and a path such as "GET /events", by `handler`. One of the scopes is enough.

        A route whose body names the collection refuses one in the query, which would be ignored.
        """
        checks = [Depends(self._admission.needs(scope or self._scope, others))]
        if _names_collection_in_body(handler):
            checks.append(Depends(refuse_collection_in_query))
        describe(self, call, handler, operation, dependencies=checks)


def _names_collection_in_body(handler: Callable[..., Any]) -> bool:
    kinds = get_type_hints(handler)
    return any(_names_collection(kinds[name]) for name in signature(handler).parameters)


def _names_collection(kind: Any) -> bool:
    """Say whether a body of that kind, or an item of a list in it, has a collection."""
    if get_origin(kind) is list:
        return any(map(_names_collection, get_args(kind)))
    fields = getattr(kind, "model_fields", {})
    return "collection" in fields or any(_names_collection(field.annotation) for field in fields.values())


def describe(router: APIRouter, call: str, handler: Callable[..., Any], operation: Operation, **options: Any) -> None:
    """Make `router` answer `call` by `handler`, with the words of `operation` in the OpenAPI document."""
    method, path = call.split()
    router.add_api_route(
        path,
        handler,
        methods=[method],
        summary=operation.summary,
        responses=operation.responses,
        openapi_extra=operation.extra,
        **operation.options,
        **options,
    )

"""The OpenAPI document on the settings in force."""

from service.api.openapi.operation import Operation, success

_SETTING = {
    "name": "INSTAR_RETAIN",
    "value": 2,
    "default": 1,
    "origin": "environment",
    "set_by": "INSTAR_RETAIN",
    "is_set": True,
    "secret": False,
    "meaning": "former generations kept loaded for rollback and pinned clients",
}

LIST = Operation("List the settings in force", {200: success("The settings.", {"settings": [_SETTING]})})

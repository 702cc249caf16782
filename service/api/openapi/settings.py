"""The OpenAPI document on the settings in force."""

from service.api.openapi.operation import Operation, success
from service.settings import Settings

_SETTING = {
    "name": "INSTAR_RETAIN",
    "value": 2,
    "default": 1,
    "origin": "environment",
    "set_by": "INSTAR_RETAIN",
    "is_set": True,
    "secret": False,
    "meaning": Settings.model_fields["retain"].description,
}

LIST = Operation("List the settings in force", {200: success("The settings.", {"settings": [_SETTING]})})

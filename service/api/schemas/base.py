"""The base of request models: null counts as left out, because many clients send it, and only numbers are numbers."""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, GetJsonSchemaHandler, Strict, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticKnownError

_NULL = {"type": "null"}


def _no_other_kind(value: Any) -> Any:
    if isinstance(value, bool | str):
        raise PydanticKnownError("int_type")
    return value


# Numbers as in JSON Schema: 3 and 3.0 are integers; true and "3" are no numbers.
Integer = Annotated[int, BeforeValidator(_no_other_kind)]
Number = Annotated[float, Strict()]


class BodyModel(BaseModel):
    """A request body, or an object in one. In a field with a default, null stands for the default."""

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, data: Any) -> Any:
        if not isinstance(data, dict) or None not in data.values():
            return data
        optional = {name for name, field in cls.model_fields.items() if not field.is_required()}
        return {name: value for name, value in data.items() if value is not None or name not in optional}

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        schema = handler(core_schema)
        described = handler.resolve_ref_schema(schema)
        for name, field in described.get("properties", {}).items():
            if name not in described.get("required", ()) and _NULL not in field.get("anyOf", ()):
                described["properties"][name] = _or_null(field)
        return schema


def _or_null(field: dict[str, Any]) -> dict[str, Any]:
    about = {name: value for name, value in field.items() if name in ("title", "description", "default")}
    if isinstance(about.get("default"), dict):
        # Generators of clients cannot tell the kind of such a default.
        del about["default"]
    kinds = {name: value for name, value in field.items() if name not in about}
    return {"anyOf": [*(kinds.pop("anyOf", None) or [kinds]), _NULL], **about}

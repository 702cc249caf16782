"""`/admin/settings`: the settings in force."""

from typing import Annotated, Any

from pydantic import Field
from typing_extensions import TypedDict

from service.settings.in_force import Origin


class SettingAnswer(TypedDict):
    """A setting, its value, and where that comes from."""

    name: Annotated[str, Field(description="its variable")]
    value: Annotated[Any, Field(description="its value; null: none, or a secret; an address is shown without its path")]
    default: Annotated[Any, Field(description="the value that it has if nobody sets it")]
    origin: Annotated[
        Origin,
        Field(description="default: nobody has set it; environment: `set_by` did; argument: the program itself did"),
    ]
    set_by: Annotated[
        str | None,
        Field(description="the variable that was set: its own, a former name, or that of a whole group; null: none"),
    ]
    is_set: Annotated[bool, Field(description="whether there is a value, which alone is said of secrets")]
    secret: Annotated[bool, Field(description="whether its value is never shown")]
    meaning: Annotated[str, Field(description="its meaning, in Markdown")]


class SettingsAnswer(TypedDict):
    """All settings."""

    settings: Annotated[list[SettingAnswer], Field(description="in the order of docs/settings.md")]

"""`/admin/reload` and `/admin/activate`: which checkpoint to activate, and how."""

from pydantic import ConfigDict, Field, StrictBool

from service.api.schemas.base import BodyModel, Number

_FORCE = "activate even if the judged queries say that it is worse"


class ReloadRequest(BodyModel):
    """Which checkpoint to activate."""

    model_config = ConfigDict(extra="forbid")

    model: str = Field(description="name of a checkpoint, or id of one")
    force: StrictBool = Field(False, description=_FORCE)
    shadow: Number | None = Field(
        None,
        gt=0,
        le=1,
        description="share of live searches that the new generation answers, too, without showing it, until"
        " POST /admin/activate; null: it is activated at once",
    )


class ActivateRequest(BodyModel):
    """How to end the shadow."""

    model_config = ConfigDict(extra="forbid")

    force: StrictBool = Field(False, description=_FORCE)

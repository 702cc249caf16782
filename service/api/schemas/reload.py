"""`/admin/reload` and `/admin/activate`: the checkpoint to activate."""

from pydantic import ConfigDict, Field, StrictBool

from service.api.schemas.base import BodyModel, Number

_FORCE = "activate it even if it is worse on the judged queries"


class ReloadRequest(BodyModel):
    """A checkpoint to activate."""

    model_config = ConfigDict(extra="forbid")

    model: str = Field(description="name of a checkpoint, or id of one")
    force: StrictBool = Field(False, description=_FORCE)
    shadow: Number | None = Field(
        None,
        gt=0,
        le=1,
        description="share of live searches that the new generation also answers, unseen, until POST /admin/activate;"
        " null: it is activated once it is built",
    )


class ActivateRequest(BodyModel):
    """The end of the shadow."""

    model_config = ConfigDict(extra="forbid")

    force: StrictBool = Field(False, description=_FORCE)

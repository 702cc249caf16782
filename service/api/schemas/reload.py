"""`/admin/reload` and `/admin/activate`: the checkpoint to activate."""

from typing import Self

from pydantic import ConfigDict, Field, StrictBool, model_validator

from service.api.schemas.base import BodyModel, Number

_FORCE = "activate it even if it is worse on the judged queries"


class ReloadRequest(BodyModel):
    """A checkpoint to activate."""

    model_config = ConfigDict(extra="forbid")

    model: str | None = Field(None, description="name of a checkpoint, or id of one")
    reranker: str | None = Field(
        None, description="in place of `model`: name or id of a cross-encoder, which reranks what searches have found"
    )
    by_default: StrictBool = Field(
        False, description="with `reranker`: rerank every search that does not say otherwise"
    )
    force: StrictBool = Field(False, description=_FORCE)
    shadow: Number | None = Field(
        None,
        gt=0,
        le=1,
        description="share of live searches that the new generation also answers, unseen, until POST /admin/activate;"
        " null: it is activated once it is built",
    )

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if (self.model is None) == (self.reranker is None):
            raise ValueError("send either model or reranker")
        if self.reranker is not None and self.shadow is not None:
            raise ValueError("shadow is for a model: leave it out of the reload of a reranker")
        if self.model is not None and self.by_default:
            raise ValueError("by_default is for a reranker: leave it out of the reload of a model")
        return self


class ActivateRequest(BodyModel):
    """The end of the shadow."""

    model_config = ConfigDict(extra="forbid")

    force: StrictBool = Field(False, description=_FORCE)

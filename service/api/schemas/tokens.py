"""Requests of text-embeddings-inference that concern tokens alone."""

from pydantic import Field, StrictBool, StrictInt

from service.api.inputs import ModelName
from service.api.schemas.base import BodyModel
from service.api.schemas.embed import PromptName


class TokenizeRequest(BodyModel):
    """Texts to tokenize."""

    inputs: str | list[str] = Field(description="a text, or several")
    add_special_tokens: StrictBool = Field(True, description="add the tokens that the model puts around a text")
    prompt_name: PromptName = None
    model: ModelName = None


class DecodeRequest(BodyModel):
    """Token ids to turn into text."""

    ids: list[StrictInt] | list[list[StrictInt]] = Field(description="token ids of one text, or of several")
    skip_special_tokens: StrictBool = Field(True, description="leave out the tokens that the model puts around a text")
    model: ModelName = None

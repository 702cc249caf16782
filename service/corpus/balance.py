"""The balance of a collection: how much each part of its hybrid searches weighs, and how that was found."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

BalanceSource = Literal["fitted", "estimated", "default"]


class Balance(BaseModel):
    """The weights of both parts, which add up to 1, and what they were made of."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=True)

    dense: float = Field(description="weight of the part by vector")
    keyword: float = Field(description="weight of the part by keyword")
    source: BalanceSource = Field(
        description="fitted: on judged queries that train; estimated: by questions that are made of the documents;"
        " default: there are too few of both"
    )
    queries: int = Field(0, description="queries or questions by which it was found")
    documents: int = Field(0, description="documents that the collection had then")
    last_write: int = Field(0, description="number of the last write then")

    @classmethod
    def of(cls, share: float, source: BalanceSource, queries: int = 0) -> "Balance":
        """The balance in which `share` (0 to 1) of the weight is that of the part by vector."""
        return cls(dense=round(share, 3), keyword=round(1 - share, 3), source=source, queries=queries)

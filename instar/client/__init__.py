"""A client of the service, for the calls that no other protocol has: feedback, judgements, reloads, own documents.

It needs httpx alone. `Instar` waits for its answers, `AsyncInstar` is for asyncio; both have the same methods. Requests
and answers are the dictionaries of the OpenAPI document, whose types are in `instar.client.types`.
"""

from instar.client.asynchronous import AsyncInstar
from instar.client.calls import results_of
from instar.client.errors import InstarError, Lost, NotReached, Refused, Unsendable, WrongSetting
from instar.client.portions import Counts
from instar.client.synchronous import Instar

__all__ = [
    "AsyncInstar",
    "Counts",
    "Instar",
    "InstarError",
    "Lost",
    "NotReached",
    "Refused",
    "Unsendable",
    "WrongSetting",
    "results_of",
]

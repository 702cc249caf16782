"""The client that waits for its answers."""

import time
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Any, Self, TypeVar, Unpack

import httpx

from instar.client import calls
from instar.client.call import Call, not_reached, pause
from instar.client.errors import InstarError, Refused
from instar.client.following import Following, Silence
from instar.client.portions import MOST, Counts, Portions, Progress, Refusal, batched
from instar.client.settings import PAGE, PATIENCE_SECONDS, RETRIES, TIMEOUT_SECONDS, made
from instar.client.types import (
    ActivateRequest,
    DeleteRequest,
    DocumentsRequest,
    FeedbackAnswer,
    FeedbackEvent,
    GenerationsAnswer,
    Info,
    Job,
    Judgement,
    JudgementsRequest,
    MatchingRequest,
    NewDocument,
    ReloadRequest,
    SearchAnswer,
    SearchRequest,
    StoredDocument,
    Taken,
    WriteAnswer,
)

Answer = TypeVar("Answer")


class Instar:
    """A client of one service. Safe from any thread.

    Methods raise NotReached if no service answers, and Refused, with the service's own message, if it refuses, or
    Unsendable, which is one of these, if a request is no JSON. What a busy service refuses is sent again `retries`
    times, when it says. All errors are InstarError.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        key: str | None = None,
        timeout: float = TIMEOUT_SECONDS,
        retries: int = RETRIES,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """Make a client of the service at `url` (None: INSTAR_URL, or this machine) with a key (None: INSTAR_KEY).

        Raises WrongSetting if the address or the key cannot be one.
        """
        self._client = made(httpx.Client, url, key, timeout, transport)
        self._retries = retries

    def info(self) -> Info:
        """Return what runs there: the model, its length and dimensions, how many documents."""
        return self._send(calls.info())

    def tokenizer(self) -> dict[str, Any]:
        """Return the model's tokenizer, as `tokenizer.json` has it."""
        return self._send(calls.tokenizer())

    def search(self, **request: Unpack[SearchRequest]) -> SearchAnswer:
        """Search for `query`."""
        return self._send(calls.search(request))

    def write(self, **request: Unpack[DocumentsRequest]) -> WriteAnswer:
        """Write `documents`. Those that have not changed cost nothing."""
        return self._send(calls.write(request))

    def write_all(
        self,
        documents: Iterable[NewDocument],
        collection: str = "default",
        *,
        progress: Progress | None = None,
        refused: Refusal | None = None,
    ) -> Counts:
        """Write any number of documents, of which few are held at a time, and return how many were.

        `progress` gets the answer to each portion. `refused` gets each document that the service does not take, with
        the reason, and the others are written. Without it such a document ends the writing by Refused, which names it.
        """
        portions = Portions(documents, progress, refused)
        for portion in portions:
            try:
                answer = self.write(documents=portion, collection=collection)
            except Refused as error:
                portions.fail(portion, error)
            else:
                portions.succeed(answer)
        return portions.counts

    def document(self, identity: str, collection: str = "default") -> StoredDocument:
        """Return one document."""
        return self._send(calls.read(identity, collection))

    def documents(self, collection: str = "default") -> Iterator[StoredDocument]:
        """Yield all documents of a collection."""
        cursor = None
        while True:
            page = self._send(calls.page(collection, cursor, PAGE))
            yield from page["documents"]
            if (cursor := page["next"]) is None:
                return

    def matching(self, **request: Unpack[MatchingRequest]) -> Iterator[StoredDocument]:
        """Yield the documents that pass a `filter`."""
        while True:
            page = self._send(calls.matching(request))
            yield from page["documents"]
            if page["next"] is None:
                return
            request["cursor"] = page["next"]

    def delete(self, **request: Unpack[DeleteRequest]) -> int:
        """Delete documents by `ids` or by `filter`; returns how many."""
        return self._send(calls.delete(request))["deleted"]

    def delete_all(self, ids: Iterable[str], collection: str = "default") -> int:
        """Delete any number of documents by their ids; returns how many there were."""
        deleted = 0
        for portion in batched(ids, MOST):
            deleted += self.delete(ids=portion, collection=collection)
        return deleted

    def feedback(self, *events: FeedbackEvent) -> FeedbackAnswer:
        """Say what users did with answers. An event names the `search` of the answer, or its `query`."""
        return self._send(calls.feedback(events))

    def judge(self, **request: Unpack[JudgementsRequest]) -> Taken:
        """Add `judgements`: which documents are good answers to which queries, and which are bad."""
        return self._send(calls.judge(request))

    def judgements(self, **wanted: Unpack[calls.JudgementsWanted]) -> Iterator[Judgement]:
        """Yield the judgements that agree with all that is said."""
        cursor = None
        while True:
            page = self._send(calls.judgements(wanted, cursor))
            yield from page["judgements"]
            if (cursor := page["next"]) is None:
                return

    def reload(self, **request: Unpack[ReloadRequest]) -> Job:
        """Begin to replace the `model`, or the `reranker`; returns the job, which `follow` and `wait` take."""
        return self._send(calls.reload(request))

    def job(self, identity: str) -> Job:
        """Return how far a job is."""
        return self._send(calls.job(identity))

    def follow(self, job: Job, *, patience: float = PATIENCE_SECONDS, silent: Silence | None = None) -> Iterator[Job]:
        """Yield a job again and again until it has ended. The last one says how.

        A restart of the service interrupts a job and does not end it, so that a service that does not answer is asked
        for `patience` seconds; `silent` gets the error with which they begin. Raises Lost after them, or if the service
        has no such job. A key that has used up its limit waits as long as the service says, which `silent` gets, too.
        """
        following = Following(patience, silent)
        while True:
            yield job
            if job["state"] in calls.ENDED:
                return
            time.sleep(following.pause)
            try:
                job = following.answered(self._send(calls.job(job["id"]), retries=0))
            except InstarError as error:
                following.bear(error, job)

    def wait(self, job: Job, *, patience: float = PATIENCE_SECONDS) -> Job:
        """Return a job when it has ended, however it did: see its `state` and `reason`. Raises as `follow`."""
        *_, ended = self.follow(job, patience=patience)
        return ended

    def cancel(self, identity: str) -> Job:
        """Cancel a job."""
        return self._send(calls.cancel(identity))

    def activate(self, **request: Unpack[ActivateRequest]) -> Job:
        """Let the generation in the shadow answer."""
        return self._send(calls.activate(request))

    def rollback(self, generation: int | None = None) -> dict[str, Any]:
        """Return to a generation (None: the one before), and answer what answers now."""
        return self._send(calls.rollback(generation))

    def generations(self) -> GenerationsAnswer:
        """List the generations."""
        return self._send(calls.generations())

    def _send(self, call: Call[Answer], retries: int | None = None) -> Answer:
        request = call.request(self._client)
        most = self._retries if retries is None else retries
        attempt = 0
        while True:
            try:
                response = self._client.send(request)
            except httpx.RequestError as error:
                raise not_reached(self._client.base_url, error) from error
            seconds = pause(response, attempt)
            if seconds is None or attempt >= most:
                return call.read(response)
            time.sleep(seconds)
            attempt += 1

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

"""The webhook: it tells one address of every change, in order and at least once, also across restarts.

Messages are signed as in Standard Webhooks (standardwebhooks.com, version 1). A change that is sent again has the id of
the first time, so that a receiver can leave it out.
"""

import asyncio
import base64
import hmac
import logging
import time
from functools import partial
from hashlib import sha256

import httpx

from service.corpus.base import Records
from service.errors import InstarError
from service.generations.changes import Change, Changes
from service.machine.writer import WritingThread
from service.settings import WEBHOOK_SECRET_PREFIX
from service.settings.groups import Webhook as WebhookSettings

log = logging.getLogger(__name__)

_TIMEOUT_SECONDS = 15
_LOOK_SECONDS = 0.5
_FIRST_WAIT, _LONGEST_WAIT = 1.0, 300.0
# Seconds after which records that cannot be read are read again.
_AGAIN = 5.0
_DELIVERED = "webhook"


class Webhook:
    """Sends the changes to `url`, signed with `secret`: whsec_ and base64; None: not signed."""

    def __init__(
        self, url: str, secret: str | None, *, changes: Changes, records: Records, thread: WritingThread
    ) -> None:
        self._url = url
        self._key = None if secret is None else base64.b64decode(secret.removeprefix(WEBHOOK_SECRET_PREFIX))
        self._changes = changes
        self._records = records
        self._thread = thread

    async def run(self) -> None:
        """Deliver until cancelled. The very first delivery is the last change before the webhook was set up."""
        wait = _FIRST_WAIT
        async with httpx.AsyncClient(timeout=_TIMEOUT_SECONDS, trust_env=False) as client:
            while True:
                try:
                    undelivered = await asyncio.to_thread(self._undelivered)
                # A database that is away for a while must not end what else the service does in the background.
                except InstarError as error:
                    log.warning("changes for the webhook are looked for again in %d seconds: %s", _AGAIN, error.message)
                    await asyncio.sleep(_AGAIN)
                    continue
                for change in undelivered:
                    problem = await self._deliver(client, change)
                    if problem:
                        log.warning(
                            "the webhook could not be told of generation %d (%s): check INSTAR_WEBHOOK__URL; it is told"
                            " again until it answers",
                            change.generation,
                            problem,
                        )
                        break
                    wait = _FIRST_WAIT
                else:
                    await asyncio.sleep(_LOOK_SECONDS)
                    continue
                await asyncio.sleep(wait)
                wait = min(2 * wait, _LONGEST_WAIT)

    def _undelivered(self) -> list[Change]:
        # Another replica may have delivered something since.
        note = self._records.note(_DELIVERED)
        return self._changes.after(None if note is None else int(note))

    async def _deliver(self, client: httpx.AsyncClient, change: Change) -> str | None:
        """Send one change; returns what went wrong, or None."""
        body = change.model_dump_json().encode()
        headers = {"Content-Type": "application/json"} | self._signed(f"msg_{change.id}", int(time.time()), body)
        try:
            response = await client.post(self._url, content=body, headers=headers)
        except httpx.HTTPError as error:
            return type(error).__name__
        if not response.is_success:
            return f"it answered {response.status_code}"
        try:
            await self._thread.run(partial(self._records.save_note, _DELIVERED, str(change.id)))
        except InstarError as error:
            return error.message
        return None

    def _signed(self, identity: str, timestamp: int, body: bytes) -> dict[str, str]:
        headers = {"webhook-id": identity, "webhook-timestamp": str(timestamp)}
        if self._key is None:
            return headers
        digest = hmac.digest(self._key, f"{identity}.{timestamp}.".encode() + body, sha256)
        return headers | {"webhook-signature": f"v1,{base64.b64encode(digest).decode()}"}


def open_webhook(
    settings: WebhookSettings, changes: Changes, records: Records, thread: WritingThread
) -> Webhook | None:
    """Return the webhook that the settings name; None without one."""
    if settings.url is None:
        return None
    secret = settings.secret.get_secret_value() if settings.secret else None
    return Webhook(str(settings.url), secret, changes=changes, records=records, thread=thread)

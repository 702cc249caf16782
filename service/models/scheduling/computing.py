"""The computing of one batch: at the priority of its cores, and with a second attempt after a failure."""

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from service.errors import EncodingFailed
from service.machine.arrays import Vectors
from service.machine.priority import lower_priority
from service.models.base import Batchable, Cores, Prepared
from service.models.errors import encoder_fails

log = logging.getLogger(__name__)

_PLAIN_TEXT = "a text on which no encoder fails"
# oneDNN and torch have no class of their own for these errors, of which no text is the cause.
_NO_MEMORY = ("could not create a primitive", "can't allocate memory", "not enough memory", "out of memory")


class Computing:
    """Computes batches, at most `spare` of them at idle priority at a time. Safe to use from many threads."""

    def __init__(self, spare: int) -> None:
        self._lowest = ThreadPoolExecutor(spare, thread_name_prefix="instar-lowest", initializer=lower_priority)
        # The error for which nothing can be encoded; None again once a batch succeeds.
        self.failure: str | None = None

    def forward(self, encoder: Batchable, items: Sequence[Prepared], cores: Cores) -> Vectors:
        """Raw vectors (n, native dimensions) of one batch.

        Raises EncodingFailed if the texts are at fault, and EncoderFailed if any text would fail.
        """
        vectors = self._attempted(encoder, items, cores)
        self.failure = None
        return vectors

    def close(self) -> None:
        """End the threads of idle priority."""
        self._lowest.shutdown()

    def _attempted(self, encoder: Batchable, items: Sequence[Prepared], cores: Cores) -> Vectors:
        """Compute the batch. After a failure, compute a plain text to tell which is at fault, then the batch again.

        The failure may last: torch does not always recover from a moment without memory, in which it could not make
        what it needs from then on. What it has made for batches of one size may still do when that of others fails.
        """
        try:
            return self._compute(encoder, items, cores)
        except (RuntimeError, MemoryError) as error:
            log.warning("a batch failed, and is tried again unless a plain text fails, too: %s", error)
        try:
            self._compute(encoder, encoder.prepare([_PLAIN_TEXT], "document"), cores)
        except (RuntimeError, MemoryError) as error:
            self.failure = f"{type(error).__name__}: {error}"
            raise encoder_fails() from error
        try:
            return self._compute(encoder, items, cores)
        except (RuntimeError, MemoryError) as error:
            if isinstance(error, MemoryError) or any(words in str(error) for words in _NO_MEMORY):
                raise encoder_fails() from error
            raise EncodingFailed(
                f"the model fails on these texts ({error}): try them one by one to find out which"
            ) from error

    def _compute(self, encoder: Batchable, items: Sequence[Prepared], cores: Cores) -> Vectors:
        """Compute the batch, on a thread of idle priority where the cores are spare.

        Only computing has that priority. A thread that had it all the time, and was put off while it has the
        interpreter, would put off every other thread.
        """
        if cores == "spare" and not encoder.yields:
            return self._lowest.submit(encoder.forward, items, cores).result()
        return encoder.forward(items, cores)

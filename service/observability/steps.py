"""The steps after each of which a crash finds another state on the disk or in memory.

Tests subscribe to them to inject a fault at a named step.
"""

from typing import Literal

Step = Literal[
    # A write: its vectors are made; the corpus has it; the indexes have it.
    "write.embedded",
    "write.committed",
    "write.indexed",
    # A reload, in order.
    "reload.queued",
    "reload.copied",
    "reload.installed",
    "reload.loaded",
    "reload.probed",
    "reload.stored",
    "reload.embedded",
    "reload.following",
    "reload.built",
    "reload.published",
    "reload.balanced",
    "reload.judged",
    "reload.preparing",
    "reload.caught-up",
    "reload.recorded",
    "reload.switched",
    "reload.cleaned",
    # A replica that another one leads through a reload: it is prepared, as its canaries say; it answers with what the
    # other one has recorded.
    "replica.compared",
    "replica.adopted",
    # A trial, in a child process: torch loads the checkpoint; an engine converts, compiles and computes it.
    "trial.torch",
    "trial.convert",
    "trial.compile",
    "trial.compare",
    # An upload: the archive has arrived; the checkpoint is in the registry.
    "upload.received",
    "upload.placed",
    # Housekeeping: a sealed part is built; dead versions are purged from the corpus; from the vectors.
    "seal.built",
    "purge.corpus",
    "purge.vectors",
    # A start: the active generation's encoder is loaded; that generation is complete; a retained one is complete.
    "start.loaded",
    "start.restored",
    "start.retained",
]

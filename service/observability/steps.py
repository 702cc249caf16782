"""The steps between which a crash finds another state on the disk or in memory.

Whoever runs the service may watch them, and so make a fault happen at each one by its name.
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
    "reload.judged",
    "reload.caught-up",
    "reload.recorded",
    "reload.switched",
    "reload.cleaned",
    # A trial, in a process of its own: torch loads the checkpoint; an engine converts, compiles and computes it.
    "trial.torch",
    "trial.convert",
    "trial.compile",
    "trial.compare",
    # An upload: it has arrived; it is in the registry.
    "upload.received",
    "upload.placed",
    # Housekeeping: a sealed part is built; the dead are gone from the corpus; from the vectors.
    "seal.built",
    "purge.corpus",
    "purge.vectors",
    # A start: the active generation's encoder is loaded; it is complete; a retained one is.
    "start.loaded",
    "start.restored",
    "start.retained",
]

"""The errors of requests that no generation answers, and of rollbacks that lead nowhere."""

from collections.abc import Iterable, Sequence

from service.errors import CheckpointRefused, Conflict, InvalidRequest, NotFound, NotReady

_RELOAD = "reload the checkpoint that you want (GET /admin/models lists them)"


def starting(stage: str) -> NotReady:
    """The start has come to `stage`."""
    return NotReady(f"the service is starting ({stage}): wait until /ready answers 200")


def no_such_model(model: str, names: Iterable[str]) -> NotFound:
    """No generation answers to `model`; `names` are those that do."""
    return NotFound(
        f"no generation of {model} answers here: leave model out, or use one of {', '.join(names)};"
        " INSTAR_ALIASES adds names that a client insists on",
        "model",
    )


def no_name(name: str, names: Iterable[str]) -> NotFound:
    """No model is called `name`; `names` are those that there are."""
    return NotFound(f"there is no model {name[:120]!r}: there are {', '.join(names)}", "model")


def nothing_before(active: int, model: str, later: Sequence[str] = ()) -> InvalidRequest:
    """No retained generation was built before the active one, which has number `active` and checkpoint `model`.

    `later` are the retained generations that were built after it.
    """
    forward = f'to go forward again, send {{"generation": NUMBER}}: retained are {", ".join(later)}'
    return InvalidRequest(
        f"nothing is left to go back to: no former generation before {active} ({model}), which is active, is retained; "
        + (forward if later else _RELOAD),
        "generation",
    )


def not_loaded(number: int, loaded: Iterable[str]) -> NotFound:
    """No generation with that number is loaded; `loaded` are those that are, each with its state."""
    return NotFound(
        f"generation {number!s:.20} is not loaded: leave generation out, or use one of {', '.join(loaded)}",
        "generation",
    )


def never_built(number: int, retained: Iterable[int]) -> NotFound:
    """No generation ever had that number; `retained` are the numbers of those that can answer at once."""
    listed = ", ".join(map(str, retained)) or "none"
    return NotFound(
        f"there was never a generation {number}: retained are the numbers {listed}; GET /admin/generations lists all",
        "generation",
    )


def differs_here(model: str, cosines: Sequence[float], least: float) -> CheckpointRefused:
    """This process computes other vectors with `model` than the replica that has stored them.

    `cosines` are those of documents' stored and computed vectors, which must be at least `least`.
    """
    differing = sum(cosine < least for cosine in cosines)
    return CheckpointRefused(
        f"{model} gives other vectors here than those that another replica has stored ({differing} of {len(cosines)}"
        f" documents, the least cosine is {min(cosines):.3f}): compare INSTAR_ENGINE and the versions of both replicas"
        " (GET /info)"
    )


_LOAD_RERANKER = 'POST /admin/reload {"reranker": NAME}'


def no_reranker() -> NotFound:
    """No reranker is active."""
    return NotFound(
        f"no reranker is loaded: load a cross-encoder by {_LOAD_RERANKER}; GET /admin/models lists those of the kind"
        " reranker",
        "model",
    )


def no_such_reranker(model: str, active: str) -> NotFound:
    """A request names another reranker than the `active` one."""
    return NotFound(
        f"the reranker {model:.120} does not answer here: leave model out, or use active or {active};"
        f" INSTAR_ALIASES adds names that a client insists on, and {_LOAD_RERANKER} loads another one",
        "model",
    )


def no_reranker_before() -> InvalidRequest:
    """No reranker was active before this one."""
    return InvalidRequest(f"no reranker was active before: load the one that you want by {_LOAD_RERANKER}", "reranker")


def generation_replaced() -> Conflict:
    """Another generation became active while a former one was to become active again."""
    return Conflict(
        "another generation became active meanwhile: look at GET /admin/generations, then roll back again", "generation"
    )


def reranker_replaced() -> Conflict:
    """Another reranker became active while the former one was loaded."""
    return Conflict("the reranker was replaced in this moment: look at GET /info, then roll back again", "reranker")

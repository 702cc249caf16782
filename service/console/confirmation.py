"""A page that says what an act will do, in figures, and does it when it is confirmed. It needs no script."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from starlette.responses import Response

from service.console.pages import Pages, Visit
from service.console.public_api import ApiError


@dataclass(frozen=True, slots=True)
class Choice:
    """Something to choose before the act: one of the `values`, by their words, or without any yes or no."""

    name: str
    words: str
    values: Mapping[str, str] = field(default_factory=dict)
    chosen: str = ""


@dataclass(frozen=True, slots=True)
class Confirmation:
    """An act that waits for a yes.

    `effects` are sentences that say what will happen, `fields` what the form sends besides the choices to `action`, an
    address below the console. `button` names the act; None: it cannot be done, and the effects say why. A `warning`
    says why somebody may not want the act; the button then does not invite to it.
    """

    title: str
    effects: Sequence[str]
    action: str
    button: str | None
    fields: Mapping[str, str] = field(default_factory=dict)
    choices: Sequence[Choice] = ()
    removes: bool = False
    warning: str | None = None

    async def ask(
        self, pages: Pages, visit: Visit, screen: str, back: str, problem: ApiError | None = None
    ) -> Response:
        """Render the page. `back` is the address below the console of those who say no.

        `problem` is why the act was refused when it was confirmed.
        """
        values: dict[str, Any] = {"screen": screen, "confirmation": self, "back": back, "problem": problem}
        return await pages.render(visit, "confirmation.html", problem.status if problem else 200, **values)

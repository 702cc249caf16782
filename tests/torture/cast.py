"""The cast of an episode: each actor does the actions of its plan one after the other, on a thread of its own.

When the process is gone it ends; its plan goes on in the next life.
"""

import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.torture import actors
from tests.torture.actors import Caller, Gone
from tests.torture.history import Event, History
from tests.torture.plan import USERS_DO, Action
from tests.torture.users import User


class Cast:
    """Runs the actions of one life, each actor on a thread of its own."""

    def __init__(self, base_url: str, history: History, upload: Path, life: int) -> None:
        self._base_url = base_url
        self._history = history
        self._upload = upload
        self._life = life
        self._threads: list[threading.Thread] = []
        self._stop = threading.Event()

    def begin(self, actions: dict[str, list[Action]], models: Callable[[str], str], pending: Sequence[Event]) -> None:
        """Start them; `models` tells the id of a checkpoint by its name, `pending` are reloads of former lives."""
        for name, own in actions.items():
            caller = Caller(name, self._base_url, self._history)
            thread = threading.Thread(target=self._act, args=(caller, own, models, pending), name=name)
            thread.start()
            self._threads.append(thread)

    def join(self) -> None:
        """Return when every actor has done its actions, or has found the service gone."""
        for thread in self._threads:
            thread.join()

    def stop(self) -> None:
        """Let them end after the request in progress."""
        self._stop.set()

    def _act(
        self, caller: Caller, actions: list[Action], models: Callable[[str], str], pending: Sequence[Event]
    ) -> None:
        user = User(caller, self._history)
        try:
            for event in pending if caller.name == "operator" else ():
                actors.follow(caller, event)
            for number, action in enumerate(actions):
                time.sleep(action.wait)
                if self._stop.is_set():
                    break
                mark = f"{caller.name}.{self._life}.{number}"
                if action.kind in USERS_DO:
                    user.act(action, mark)
                else:
                    self._do(caller, action, mark, models)
        except Gone:
            pass
        finally:
            caller.close()

    def _do(self, caller: Caller, action: Action, mark: str, models: Callable[[str], str]) -> None:
        match action.kind:
            case "put":
                actors.put(caller, action.asked["ids"], mark)
            case "bulk":
                actors.bulk(caller, action.asked["ids"], mark)
            case "delete":
                caller.send("delete", action.asked, "POST", "/documents/delete", json={"ids": action.asked["ids"]})
            case "search":
                actors.search(caller, actors.WORDS[action.asked["word"]], action.asked["k"])
            case "reranked":
                actors.reranked(caller, actors.WORDS[action.asked["word"]], action.asked["k"])
            case "rerank":
                actors.rerank(caller, actors.WORDS[action.asked["word"]], action.asked["seed"])
            case "embed":
                actors.embed(caller, actors.WORDS[action.asked["word"]], models(action.asked["model"]))
            case "upload":
                caller.send(
                    "upload", {}, "PUT", "/admin/models/sent", accepted=(201,), content=self._upload.read_bytes()
                )
            case _:
                actors.operate(caller, action)

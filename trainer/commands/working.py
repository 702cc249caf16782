"""Commands that work in a folder of states: one at a time in each, and no data goes before the new run is sure."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from trainer.commands.flag_groups import Reading
from trainer.data import fetching, formats
from trainer.errors import BadData
from trainer.recipe import Recipe
from trainer.train import run_folder


class Working(Reading):
    """A command that reads judgements and works in a folder, which it can resume from."""

    @contextmanager
    def alone_in(self, folder: Path, *, resume: bool, replace: bool) -> Iterator[None]:
        """Within the block no other command works in `folder`. If it is empty then, it does not stay.

        Raises BadData if another command is at work there, or if it holds files of something else than a run.
        """
        made = [path for path in folder.parents if not path.exists()]
        with _locked(folder):
            # Before anything is fetched: with --resume, what waits in a folder passes for that of a run.
            run_folder.require_of_runs(folder)
            if resume and not replace and run_folder.holds_run(folder):
                # The former run goes on, and not the one that was to replace it.
                fetching.forget(fetching.incoming(folder / run_folder.DATA))
            try:
                yield
            finally:
                with suppress(OSError):
                    for path in (folder, *made):
                        path.rmdir()

    @contextmanager
    def loaded(self, source: str, folder: Path, recipe: Recipe, *, resume: bool) -> Iterator[formats.Imported]:
        """The data at `source`. What is fetched from a service waits in `folder` until the training claims that.

        If BadData ends the block before, it is deleted, unless a fetch of an earlier command was gone on with. Raises
        BadData if something that the training reads would be deleted with a former run.
        """
        data = folder / run_folder.DATA
        incoming = fetching.incoming(data)
        clears = not run_folder.goes_on(folder, resume=resume)
        for path in (*self.reads(source), Path(recipe.base), Path(recipe.retriever)):
            fetched_anew = self.is_of_service(source) and path.name in (fetching.DOCUMENTS, fetching.JUDGEMENTS)
            stays = not fetched_anew and (_lies_in(path, data) or _lies_in(path, incoming))
            if clears and _lies_in(path, folder) and not stays and path.exists():
                raise BadData(f"{path} lies in {folder}, which a new run clears: move it, or name another --work")
        try:
            yield self._loaded(source, data, incoming, resume=resume)
        except BadData:
            if not resume and (self.is_of_service(source) or not fetching.has(incoming)):
                fetching.forget(incoming)
            raise

    def _loaded(self, source: str, data: Path, incoming: Path, *, resume: bool) -> formats.Imported:
        if self.is_of_service(source):
            goes_on = run_folder.goes_on(data.parent, resume=resume)
            if goes_on or not resume:
                fetching.forget(incoming)
            for place in (data,) if goes_on else (data, incoming):
                fetching.require_fetched(place)
            return self.load(source, data if goes_on else incoming)
        imported = self.load(source)
        read = self.reads(source)
        if not resume and not any(_lies_in(path, incoming) for path in read):
            fetching.forget(incoming)
            # What a former run has fetched goes when this one claims the folder, which has no data then.
            if fetching.has(data) and not any(_lies_in(path, data) for path in read):
                incoming.mkdir()
        return imported

    def reads(self, source: str) -> list[Path]:
        """The files that the command reads, but models. One that reads more than judgements and documents adds them."""
        return [path for path in (Path(source), self.corpus, self.judged) if path is not None]


def _lies_in(path: Path, folder: Path) -> bool:
    return path.resolve().is_relative_to(folder.resolve())


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise BadData(f"{folder} cannot be worked in ({error.strerror}): name another folder with --work") from error
    try:
        # Some file systems of networks have no such locks.
        with suppress(OSError):
            _lock(descriptor, folder)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, folder: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise BadData(
            f"another training uses {folder}: wait for its end, or name another folder with --work"
        ) from error

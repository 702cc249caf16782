"""The command `load`: own documents, cut into passages, into a collection."""

import argparse
import json
import statistics
import sys
import textwrap
from collections import Counter
from contextlib import suppress
from itertools import chain
from pathlib import Path

from tqdm import tqdm

from instar.client import Instar
from instar.loading.comparing import Outcome
from instar.loading.cutting import Cutter
from instar.loading.load import Load
from instar.loading.origin import Listing, Mistaken, Origin
from instar.loading.watching import Watch

DESCRIPTION = (
    "Bring own documents: Markdown, HTML, text, reStructuredText, PDF, DOCX, PPTX, XLSX, EPUB, CSV and JSON lines. They"
    " are cut at headings and sentences to what the model reads. A second run sends only what has changed, and removes"
    " what is gone."
)
EXAMPLE = "instar load docs/ --collection handbook"
# Tokens of a passage, if the model reads more: a longer one says too many things at once.
_LONGEST = 512
_WIDTH = 100
# Ids that are named where more are counted.
_NAMED = 10
# A large model on few processors takes minutes for a request of long passages.
_PATIENCE_SECONDS = 900.0


def add(parser: argparse.ArgumentParser) -> None:
    """Add what is loaded, and where to."""
    parser.add_argument("paths", nargs="+", type=Path, metavar="FOLDER_OR_FILE")
    parser.add_argument("--collection", default="default", help="where to (default: default)")
    parser.add_argument(
        "--name", help="name by which a later run knows these documents again (default: that of the folder or file)"
    )
    parser.add_argument(
        "--tokens",
        type=_positive,
        metavar="N",
        help=f"longest passage (default: what the model reads, at most {_LONGEST})",
    )
    parser.add_argument(
        "--replace",
        action="store_true",
        help="remove even most of what was loaded by this name, and take over ids that another load has",
    )
    parser.add_argument("--dry-run", action="store_true", help="say what would be sent, and send nothing")
    parser.add_argument("--watch", action="store_true", help="go on, and load again what changes, until stopped")


def run(arguments: argparse.Namespace) -> int:
    """Load; returns 0, or 1 if a file could not be read or a passage was not written, or 2 for a wrong argument.

    Raises Mistaken if a load would do what is not meant, and Stopped if the service fails after it has written some.
    """
    if arguments.name is not None and len(arguments.paths) > 1:
        print("--name is for one folder or file: load them one after the other", file=sys.stderr)
        return 2
    try:
        origins = [Origin.of(path, arguments.name) for path in arguments.paths]
    except Mistaken as error:
        print(error, file=sys.stderr)
        return 2
    (name, times), *_ = Counter(origin.name for origin in origins).most_common(1)
    if times > 1:
        print(
            f"{times} of these are called {name}, and each would remove what the others have: load them one after the"
            " other, each with a --name of its own",
            file=sys.stderr,
        )
        return 2
    with Instar(arguments.url, key=arguments.key, timeout=_PATIENCE_SECONDS) as client:
        loader = _Loader(client, arguments)
        if arguments.watch:
            print("watching for changes; Ctrl+C stops", file=sys.stderr)
            Watch(loader.load, loader.is_due).run(origins)
        else:
            for origin in chain(origins, filter(loader.is_due, origins)):
                loader.load(origin, origin.listing())
    return max(loader.codes.values(), default=0)


def _positive(text: str) -> int:
    with suppress(ValueError):
        if (number := int(text)) > 0:
            return number
    raise argparse.ArgumentTypeError(f"{text} is no number from 1 on: leave it out for what the model reads")


class _Loader:
    """Loads origins, each time for the model that answers then. `codes` are the latest exit codes of each."""

    def __init__(self, client: Instar, arguments: argparse.Namespace) -> None:
        self.codes: dict[str, int] = {}
        self._client = client
        self._arguments = arguments
        self._model: tuple[str, int, str] | None = None
        self._cutter: Cutter | None = None
        self._latest: Load | None = None
        self._taken: dict[str, list[tuple[str, str]]] = {}
        self._due: set[str] = set()

    def load(self, origin: Origin, listing: Listing) -> None:
        """Load one folder or file and say what came of it."""
        if self.is_due(origin):
            print(f"{origin.name} once more, because an id that it has is free now", file=sys.stderr)
            self._due.discard(origin.name)
        # In a watch that goes on, one that has raised counts too.
        self.codes[origin.name] = 1
        if self._latest is None:
            dry, replace = self._arguments.dry_run, self._arguments.replace
            self._latest = Load(self._client, self._cut(), self._arguments.collection, dry=dry, replace=replace)
        elif self._arguments.watch:
            self._latest.renew(self._cut())
        outcome = _run(self._latest, origin, listing)
        self.codes[origin.name] = _told(outcome, origin, listing, self._arguments)
        self._taken[origin.name] = outcome.taken
        freed = {(identity, origin.name) for identity in outcome.gone}
        due = {name for name, taken in self._taken.items() if not freed.isdisjoint(taken)}
        if self._arguments.dry_run:
            for name in sorted(due):
                print(f"{name} would be loaded once more, because an id that it has would be free", file=sys.stderr)
        else:
            self._due |= due

    def is_due(self, origin: Origin) -> bool:
        """Whether an id that was not written, because another one of these had it, is free since."""
        return origin.name in self._due

    def _cut(self) -> Cutter:
        info = self._client.info()
        limit = min(self._arguments.tokens or _LONGEST, info["max_length"])
        model = info["model"], limit, info["prompts"].get("document", "")
        if self._cutter is None or model != self._model:
            self._cutter, self._model = Cutter(json.dumps(self._client.tokenizer()), *model[1:]), model
        return self._cutter


def _run(load: Load, origin: Origin, listing: Listing) -> Outcome:
    """Load one folder or file, and show how far it is."""
    size = sum(file.size for file in listing.files)
    # The time left is by the mean rate, because passages go in portions, and unchanged files take no time.
    with tqdm(desc=origin.name, total=size, unit="B", unit_scale=True, smoothing=0, file=sys.stderr) as bar:
        return load.run(origin, listing, bar.update)


def _told(outcome: Outcome, origin: Origin, listing: Listing, arguments: argparse.Namespace) -> int:
    """Say what came of a load; returns the exit code."""
    for identity, reason in outcome.refused:
        print(f"not written: {identity}: {reason}", file=sys.stderr)
    for unread in (*outcome.unreadable, *outcome.textless):
        print(f"not read: {unread}", file=sys.stderr)
    if outcome.repeated:
        print(
            f"{len(outcome.repeated):,} ids come twice, and the first counts, as"
            f" {', '.join(outcome.repeated[:_NAMED])}: give each row an id of its own",
            file=sys.stderr,
        )
    if outcome.taken:
        named = ", ".join(f"{identity} of {owner}" for identity, owner in outcome.taken[:_NAMED])
        print(
            f"{len(outcome.taken):,} passages are not written, because their ids are those of another load, as"
            f" {named}: give them ids of their own, load them into another --collection, or take the"
            " ids over by --replace",
            file=sys.stderr,
        )
    is_empty = not (listing.files or listing.unread)
    if is_empty:
        print(f"{origin.path} has no file that is read: instar load --help lists the formats", file=sys.stderr)
    # Whoever reads the log of a watch reads it while that goes on.
    print(_summary(outcome, arguments), flush=True)
    return int(is_empty or any((outcome.unreadable, outcome.refused, outcome.repeated, outcome.taken)))


def _summary(outcome: Outcome, arguments: argparse.Namespace) -> str:
    tense = "would be " if arguments.dry_run else ""
    lines = [
        f"{len(outcome.kept):,} passages of {outcome.files:,} files in {arguments.collection}: {outcome.written:,}"
        f" {tense}written, {outcome.unchanged:,} unchanged, {outcome.removed:,} {tense}removed"
    ]
    if outcome.rows_without_text:
        lines[0] += f", {outcome.rows_without_text:,} rows without text"
    if arguments.dry_run and outcome.lengths:
        middle = round(statistics.median(outcome.lengths))
        lines.append(f"tokens: {min(outcome.lengths)} to {max(outcome.lengths)}, half of them up to {middle}")
        for passage in outcome.examples:
            lines += ["for example:", f"  {passage.id}  {json.dumps(passage.metadata, ensure_ascii=False)}"]
            lines += textwrap.wrap(passage.text, _WIDTH, initial_indent="  ", subsequent_indent="  ")
    return "\n".join(lines)

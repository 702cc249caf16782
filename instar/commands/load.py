"""The command `load`: own documents, cut into passages, into a collection."""

import argparse
import json
import statistics
import sys
import textwrap
from pathlib import Path

from tqdm import tqdm

from instar.client import Instar, InstarError
from instar.loading.cutting import Cutter
from instar.loading.load import Load, Origin, Outcome

DESCRIPTION = (
    "Bring own documents: Markdown, HTML, text, reStructuredText, PDF, DOCX, PPTX, XLSX, EPUB, CSV and JSON lines. They"
    " are cut at headings and sentences to what the model reads. A second run sends only what has changed, and removes"
    " what is gone."
)
EXAMPLE = "instar load docs/ --collection handbook"
# Tokens of a passage, if the model reads more: a longer one says too many things at once.
_LONGEST = 512
_WIDTH = 100
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
        type=int,
        metavar="N",
        help=f"longest passage (default: what the model reads, at most {_LONGEST})",
    )
    parser.add_argument("--dry-run", action="store_true", help="say what would be sent, and send nothing")
    parser.add_argument("--watch", action="store_true", help="go on, and load again what changes, until stopped")


def run(arguments: argparse.Namespace) -> int:
    """Load; returns 0, or 1 if a file could not be read or a passage was refused.

    Raises Mistaken for arguments that cannot be meant, and Stopped if the service fails after it has written some.
    """
    if arguments.name is not None and len(arguments.paths) > 1:
        print("--name is for one folder or file: load them one after the other", file=sys.stderr)
        return 2
    origins = [Origin.of(path, arguments.name) for path in arguments.paths]
    with Instar(arguments.url, key=arguments.key, timeout=_PATIENCE_SECONDS) as client:
        load = Load(client, _cutter(client, arguments.tokens), arguments.collection, dry=arguments.dry_run)
        codes = [_load(load, origin, arguments) for origin in origins]
        if arguments.watch:
            _watch(load, origins, arguments)
    return max(codes)


def _cutter(client: Instar, tokens: int | None) -> Cutter:
    info = client.info()
    limit = min(tokens or _LONGEST, info["max_length"])
    return Cutter(json.dumps(client.tokenizer()), limit, info["prompts"].get("document", ""))


def _load(load: Load, origin: Origin, arguments: argparse.Namespace) -> int:
    """Load one folder or file and say what came of it; returns the exit code."""
    files = origin.files()
    size = sum(file.size for file in files)
    # The time left is by the mean rate, because passages go in portions, and unchanged files take no time.
    with tqdm(desc=origin.name, total=size, unit="B", unit_scale=True, smoothing=0, file=sys.stderr) as bar:
        outcome = load.run(origin, files, bar.update)
    for identity, reason in outcome.refused:
        print(f"not written: {identity}: {reason}", file=sys.stderr)
    for path, reason in outcome.unreadable:
        print(f"not read: {path}: {reason}", file=sys.stderr)
    if outcome.repeated:
        print(
            f"{len(outcome.repeated):,} ids come twice, and the first counts, as {outcome.repeated[0]}: give each row"
            " an id of its own",
            file=sys.stderr,
        )
    if not outcome.files:
        print(f"{origin.path} has no file that is read: instar load --help lists the formats", file=sys.stderr)
    print(_summary(outcome, arguments))
    return int(bool(outcome.unreadable or outcome.refused) or not outcome.files)


def _summary(outcome: Outcome, arguments: argparse.Namespace) -> str:
    tense = "would be " if arguments.dry_run else ""
    lines = [
        f"{len(outcome.kept):,} passages of {outcome.files:,} files in {arguments.collection}: {outcome.written:,}"
        f" {tense}written, {outcome.unchanged:,} unchanged, {outcome.removed:,} {tense}removed"
    ]
    if outcome.textless:
        lines[0] += f", {outcome.textless:,} rows without text"
    if arguments.dry_run and outcome.lengths:
        middle = round(statistics.median(outcome.lengths))
        lines.append(f"tokens: {min(outcome.lengths)} to {max(outcome.lengths)}, half of them up to {middle}")
        for passage in outcome.examples:
            lines += ["for example:", f"  {passage.id}  {json.dumps(passage.metadata, ensure_ascii=False)}"]
            lines += textwrap.wrap(passage.text, _WIDTH, initial_indent="  ", subsequent_indent="  ")
    return "\n".join(lines)


def _watch(load: Load, origins: list[Origin], arguments: argparse.Namespace) -> None:
    """Load an origin again whenever something changes there, until interrupted."""
    from watchfiles import watch  # noqa: PLC0415

    print("watching for changes; Ctrl+C stops", file=sys.stderr)
    for changes in watch(*(origin.path for origin in origins), raise_interrupt=False):
        changed = [Path(path).resolve() for _, path in changes]
        for origin in origins:
            where = origin.path.resolve()
            if any(path == where or where in path.parents for path in changed):
                try:
                    _load(load, origin, arguments)
                except InstarError as error:
                    # The service may be away for a while. The next change sends what this one did not.
                    print(error, file=sys.stderr)

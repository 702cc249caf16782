"""The folder of the sealed part: Tantivy's files, and a list of their checksums.

The words are derived from the corpus. So a folder that is damaged, or of another version, is emptied and filled again.
Documents and the mark of how far they go are written in one commit, so that none is missing or there twice after a
crash.
"""

import json
import logging
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path

from tantivy import Document, FieldType, Index, IndexWriter, Query, TextAnalyzerBuilder, Tokenizer

from service.corpus.errors import disk_full, unusable
from service.index.keywords import analysis
from service.index.keywords.fresh import Row
from service.index.keywords.sealed import COLLECTION, MARK, MARK_STEM, SEQ, STEMS, TOKENIZER, SealedPart, schema
from service.machine import damage, files

log = logging.getLogger(__name__)

_LIST = "checksums.json"
# Tantivy's list of segments, which each commit and the end of each merge replace. A crash before its checksum is listed
# costs the index.
_SEGMENTS = "meta.json"
# Bytes that a commit gathers before it writes them, on one thread: a reload and searches need the others.
_GATHERED = 64_000_000
_DELETED_TOGETHER = 10_000
_WHAT = "the index of words"


class WordFolder:
    """The index in `path`, which is empty unless the folder is whole and of this version. One write at a time."""

    def __init__(self, path: Path) -> None:
        """Open or create the index. Raises InsufficientResources or StorageFailed if the disk fails."""
        self._path = path
        with _translated():
            if not self._is_whole():
                log.warning("the index of words is damaged or of another version: it is built again")
                files.empty_folder(path)
            try:
                self._index = self._opened()
                # Tantivy reads some of the files only now.
                self.sealed()
            # Tantivy raises ValueError for whatever it cannot read.
            except ValueError as error:
                log.warning("the index of words cannot be opened (%s): it is built again", error)
                self.erase()

    def sealed(self) -> SealedPart:
        """Return the index as the last commit left it."""
        return SealedPart(self._index.searcher())

    def erase(self) -> SealedPart:
        """Empty the folder, and return the empty index."""
        with _translated():
            files.empty_folder(self._path)
            self._index = self._opened()
        return self.sealed()

    def add(self, rows: Iterable[Row], died: Sequence[int], after: int, complete_to: int) -> SealedPart:
        """Add `rows`, all above `after`, and remove the versions `died`, in one commit.

        The index then goes up to `complete_to`, and has nothing above `after` but `rows`.
        """
        with self._commit() as writer:
            # The disk may have failed after a commit of the same rows.
            writer.delete_documents_by_query(_above(after))
            for start in range(0, len(died), _DELETED_TOGETHER):
                seqs = list(died[start : start + _DELETED_TOGETHER])
                writer.delete_documents_by_query(Query.term_set_query(schema(), SEQ, seqs))
            writer.delete_documents_by_term(STEMS, MARK_STEM)
            _write(writer, rows, complete_to)
        return self.sealed()

    def write_again(self, rows: Iterable[Row], complete_to: int) -> SealedPart:
        """Put `rows` in place of all that is there, in one commit."""
        with self._commit() as writer:
            writer.delete_all_documents()
            _write(writer, rows, complete_to)
        return self.sealed()

    def _opened(self) -> Index:
        self._path.mkdir(parents=True, exist_ok=True)
        index = Index(schema(), str(self._path))
        index.register_tokenizer(TOKENIZER, TextAnalyzerBuilder(Tokenizer.whitespace()).build())
        # Without this a thread looks for changes of the folder, which come from here alone.
        index.config_reader("manual")
        self._list_files()
        return index

    @contextmanager
    def _commit(self) -> Iterator[IndexWriter]:
        with _translated():
            writer = self._index.writer(heap_size=_GATHERED, num_threads=1)
            try:
                yield writer
                writer.commit()
            except BaseException:
                writer.rollback()
                raise
            self._list_files()
            writer.wait_merging_threads()
            self._list_files()
            self._index.reload()

    def _version(self) -> dict[str, str]:
        return {
            "tantivy": version("tantivy"),
            "analysis": str(analysis.VERSION),
            "unicode": unicodedata.unidata_version,
        }

    def _list_files(self) -> None:
        """List the checksums of the files of all segments, which never change, and that of the list of segments.

        No others are listed, because a merge may be writing them. One that ends meanwhile deletes segments.
        """
        known = self._listed().get("files", {})
        segments = (self._path / _SEGMENTS).read_bytes()
        checksums = {_SEGMENTS: damage.checksum_of(segments)}
        identities = {segment["segment_id"].replace("-", "") for segment in json.loads(segments)["segments"]}
        for path in sorted(self._path.iterdir()):
            if path.name.partition(".")[0] in identities:
                with suppress(FileNotFoundError):
                    checksums[path.name] = known.get(path.name) or damage.checksum(path)
        listed = {"version": self._version(), "files": checksums}
        if listed != self._listed():
            files.replace_file(self._path / _LIST, json.dumps(listed))

    def _listed(self) -> dict[str, dict[str, str]]:
        try:
            listed: dict[str, dict[str, str]] = json.loads((self._path / _LIST).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return listed

    def _is_whole(self) -> bool:
        """Say whether every listed file is there as it was written, or there is no file yet.

        A merge deletes listed files after it has replaced the list of segments, whose checksum then differs as well.
        """
        if not self._path.exists() or not any(self._path.iterdir()):
            return True
        listed = self._listed()
        if listed.get("version") != self._version():
            return False
        try:
            return all(
                damage.is_whole(self._path / name, checksum) for name, checksum in listed.get("files", {}).items()
            )
        except FileNotFoundError:
            return False


def _above(seq: int) -> Query:
    """Return the query for the versions above a sequence number."""
    return Query.range_query(schema(), SEQ, FieldType.Unsigned, lower_bound=seq, include_lower=False)


def _write(writer: IndexWriter, rows: Iterable[Row], complete_to: int) -> None:
    for row in rows:
        entry = Document()
        entry.add_unsigned(SEQ, row.seq)
        entry.add_text(COLLECTION, row.collection)
        entry.add_text(STEMS, " ".join(row.stems))
        writer.add_document(entry)
    mark = Document()
    mark.add_unsigned(MARK, complete_to)
    mark.add_text(STEMS, MARK_STEM)
    writer.add_document(mark)


@contextmanager
def _translated() -> Iterator[None]:
    """Turn what Tantivy raises when the disk fails into the errors of the service."""
    try:
        yield
    except (ValueError, OSError) as error:
        if "No space left" in str(error):
            raise disk_full(_WHAT) from error
        raise unusable(_WHAT, error) from error

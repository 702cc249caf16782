"""Pieces of text, cut into passages that the model reads whole, with the headings before them and stable ids."""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from itertools import count
from typing import Any

from semantic_text_splitter import MarkdownSplitter, TextSplitter
from tokenizers import Tokenizer

from instar.client.types import NewDocument
from instar.loading.blocks import Block, blocks_of
from instar.loading.piece import Piece

_SEPARATOR = " > "
# Tokens that a passage may have more than the splitter counted, because it was counted without the headings before it.
_MARGIN = 2
# A part of a text with fewer tokens than this share of what fits says nothing alone: the line before a code block, say.
_FEWEST = 0.125
# The headings take at most this share of each passage of a text that needs several, and the lowest one alone this.
_MOST_HEADINGS = 0.25
_MOST_HEADING = 0.5
# The head row of a table and the fences of code take at most this share of a part that is cut out of them.
_MOST_AROUND = 0.25
# Bytes of an id that the service takes. One that is longer, also by the number of its part, ends in a hash.
_LONGEST_ID = 512
_HASH_DIGITS = 12
# Where a part of a text begins, and what it has.
_Part = tuple[int, str]


@dataclass(frozen=True, slots=True)
class Passage:
    """A document of the service: what is embedded, by its id. `tokens` counts all that the model reads of it."""

    id: str
    text: str
    metadata: dict[str, Any]
    tokens: int

    def document(self) -> NewDocument:
        """The passage as the service takes it."""
        return {"id": self.id, "text": self.text, "metadata": self.metadata}


class Cutter:
    """Cuts pieces at the ends of paragraphs, sentences and words, to at most `limit` tokens."""

    def __init__(self, tokenizer: str, limit: int, prompt: str) -> None:
        """`tokenizer` is a `tokenizer.json`; the model puts `prompt` before each document, which counts."""
        self._tokenizer = Tokenizer.from_str(tokenizer)
        around = self._tokenizer.num_special_tokens_to_add(is_pair=False)
        self._around = around + (self._count(prompt) if prompt else 0)
        self._limit = max(limit - self._around, 2 * _MARGIN)
        # One that is made of the tokenizer holds a copy of it, and there is one for each length of headings.
        self._splitter = partial(MarkdownSplitter.from_callback, self._count)
        self._plain_splitter = partial(TextSplitter.from_callback, self._count)

    def passages(
        self, pieces: Iterable[Piece], source: str, identities: AbstractSet[str] = frozenset()
    ) -> Iterator[Passage]:
        """Yield the passages of the file `source`. Its rows have the `identities`, which no part takes."""
        used: dict[str, int] = {}
        for number, piece in enumerate(pieces, 1):
            before, rest = self._headed(piece)
            name = piece.identity
            if name is None:
                name = _free(self._base(piece, source, number), used)
            parts = self._parts(rest, max(self._capacity(before), _MARGIN))
            for chunk, identity in zip(parts, _identities(name, identities), strict=False):
                text = before + chunk
                headed = {"heading": _SEPARATOR.join(piece.headings)} if piece.headings else {}
                # A row may say itself whence it is, as one that another service exports does.
                metadata = {"source": source, **headed, **piece.metadata}
                yield Passage(identity, text, metadata, self._around + self._count(text))

    def _parts(self, text: str, capacity: int) -> list[str]:
        """Cut the text into parts that fit. A part of a table has its head row again, and one of code its fences."""
        parts = self._cut(text, capacity)
        if len(parts) == 1:
            return [chunk for _, chunk in parts]
        blocks = [block for block in blocks_of(text) if self._around_block(block) <= _MOST_AROUND * capacity]
        if any(_is_cut(block, part) for block in blocks for part in parts):
            heads = max(self._count(block.head) for block in blocks)
            tails = max(self._count(block.tail) for block in blocks)
            parts = self._cut(text, max(capacity - heads - tails - _MARGIN, _MARGIN))
        return list(filter(None, (_completed(text, part, blocks) for part in parts)))

    def _around_block(self, block: Block) -> int:
        return self._count(block.head) + self._count(block.tail)

    def _cut(self, text: str, capacity: int) -> list[_Part]:
        """Cut the text into parts that fit. One that is too short is joined to the next, or shares its text out."""
        parts: list[_Part] = []
        for start, chunk in self._splitter(capacity).chunk_indices(text):
            shared = self._shared_out(text, parts[-1:], (start, chunk), capacity)
            parts[-1:] = shared or [*parts[-1:], (start, chunk)]
        return parts

    def _shared_out(self, text: str, former: list[_Part], part: _Part, capacity: int) -> list[_Part]:
        """Two parts of the text as one if it fits, else in halves; nothing if neither is too short, or a half is."""

        def is_short(part: _Part) -> bool:
            return self._count(part[1]) < _FEWEST * capacity

        if not former or not any(map(is_short, (*former, part))):
            return []
        begin = former[0][0]
        both = text[begin : part[0] + len(part[1])]
        tokens = self._count(both)
        if tokens <= capacity:
            return [(begin, both)]
        # By lines and sentences, because by Markdown's blocks the line before a code block would stay alone again.
        indices = self._plain_splitter(tokens // 2 + _MARGIN).chunk_indices(both)
        halves = [(begin + start, chunk) for start, chunk in indices]
        return [] if any(map(is_short, halves)) else halves

    @staticmethod
    def _base(piece: Piece, source: str, number: int) -> str:
        path = "/".join(filter(None, map(_slug, piece.headings)))
        return f"{source}#{path or number}"

    def _headed(self, piece: Piece) -> tuple[str, str]:
        """The headings as they stand before each part, and the text that is cut.

        Without the highest headings if they are long and the text does not fit with them. The lowest one may be the
        question that the text answers: if it is too long to stand before each part, the text begins with it.
        """
        headings, text = piece.headings, piece.text
        if not any(headings):
            return "", text
        lines = [_SEPARATOR.join(headings[begin:]) for begin in range(len(headings))]
        shares = [_MOST_HEADINGS] * (len(lines) - 1) + [_MOST_HEADING]
        fitting = (line for line, share in zip(lines, shares, strict=True) if self._count(line) <= share * self._limit)
        short, whole = next(fitting, ""), f"{lines[0]}\n\n"
        if short == lines[0] or self._count(text) <= self._capacity(whole):
            return whole, text
        return (f"{short}\n\n", text) if short else ("", f"{headings[-1]}\n\n{text}")

    def _capacity(self, before: str) -> int:
        return self._limit - self._count(before) - _MARGIN

    def _count(self, text: str) -> int:
        return len(self._tokenizer.encode(text, add_special_tokens=False))


def _is_cut(block: Block, part: _Part) -> bool:
    """Whether the part begins or ends within the block."""
    start, end = part[0], part[0] + len(part[1])
    return block.begin <= start < block.end or block.opening < end < block.end


def _completed(text: str, part: _Part, blocks: Iterable[Block]) -> str:
    """The part with the head of the block in which it begins, and the tail of that in which it ends.

    The opening of a block goes to the next part alone, if nothing of the block follows it here.
    """
    start, chunk = part
    end = start + len(chunk)
    for block in blocks:
        if block.begin <= start < block.end:
            chunk = f"{block.head}\n{chunk}"
        elif block.tail and start == block.end:
            # The part before has this fence.
            chunk = chunk.removeprefix(block.tail.strip()).lstrip("\n")
        if start <= block.opening < end <= block.begin and not text[end : block.begin].strip():
            return chunk.removesuffix(text[block.opening : end]).rstrip()
        if block.begin < end < block.end:
            return chunk + block.tail
    return chunk


def _free(name: str, used: dict[str, int]) -> str:
    """The name, or if another section has it the name with the first number that makes it free, which is noted."""
    number = used.get(name, 0) + 1
    while (free := name if number == 1 else f"{name}-{number}") in used:
        number += 1
    used[name] = number
    used.setdefault(free, 1)
    return free


def _identities(name: str, taken: AbstractSet[str]) -> Iterator[str]:
    """Yield the ids of the parts of a text: the name, and then the name with each number that no row has there."""
    yield _fitting(name)
    for number in count(2):
        if (numbered := f"{name}:{number}") not in taken:
            yield _fitting(numbered)


def _slug(heading: str) -> str:
    """The heading as a part of an id: its letters and digits in any script, small, with hyphens between words."""
    plain = unicodedata.normalize("NFKC", heading).casefold()
    return "-".join(re.findall(r"[\w.]+", plain))


def _fitting(identity: str) -> str:
    """The id, or if it is too long its beginning and its hash."""
    if len(identity.encode()) <= _LONGEST_ID:
        return identity
    digits = sha256(identity.encode()).hexdigest()[:_HASH_DIGITS]
    return f"{identity.encode()[: _LONGEST_ID - _HASH_DIGITS - 1].decode(errors='ignore')}~{digits}"

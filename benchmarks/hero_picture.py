"""The picture of the README, out of what `benchmarks.hero` measured: a question, the verdict and the swap.

It is text, so that it stays sharp and small. It has a ground of its own and follows the reader's choice of light or
dark. Lines are broken by characters: the limits leave room for the widest of the usual fonts.
"""

import re
import textwrap
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

PICTURE = Path(__file__).parent.parent / "docs" / "hero.svg"
_SHOWN = re.compile(r"!\[[^]]*\]\(docs/hero\.svg\)")
_WIDTH, _EDGE, _GAP = 820, 20, 18
_HALF = (_WIDTH - 2 * _EDGE - _GAP) // 2
_COLUMNS = (_EDGE, _EDGE + _HALF + _GAP)
# Characters in a line of the question and of a passage, and the most lines of each.
_QUESTION, _QUESTION_LINES = 52, 2
_PASSAGE, _PASSAGE_LINES = 35, 4
# Between the steps of a path through menus.
_THEN = "\N{SINGLE RIGHT-POINTING ANGLE QUOTATION MARK}"
# From one line to the next.
_QUESTION_STEP, _STEP = 30, 23
# Height of the verdict and of the swap.
_LOWER = 222
_STYLE = """
  svg { --ground: #f7f8f7; --card: #fff; --line: #d5dcd8; --text: #16201d; --muted: #56635e; --old: #c77700;
        --new: #0b655e; --good: #1b6b2e; --tint: #e4f3e7; --on-good: #fff; --track: #e9edeb }
  @media (prefers-color-scheme: dark) {
    svg { --ground: #141817; --card: #1c2220; --line: #38423e; --text: #e6ece9; --muted: #a3b3ad; --old: #f0a63a;
          --new: #5cc9bc; --good: #7fd495; --tint: #1d3324; --on-good: #0d1f12; --track: #2a3330 }
  }
  text { font-family: system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; font-size: 17px;
         fill: var(--text) }
  .bold { font-weight: 700 } .muted { fill: var(--muted) } .middle { text-anchor: middle } .end { text-anchor: end }
  .head { font-size: 19px; font-weight: 700 } .ask { font-size: 22px; font-weight: 600 }
  .large { font-size: 30px; font-weight: 700 } .small { font-size: 16px }
  .card { fill: var(--card); stroke: var(--line) } .lit { fill: var(--tint); stroke: var(--good); stroke-width: 2.5 }
  .track { fill: var(--track) } .good { fill: var(--good) }
  .old { fill: var(--old) } .new { fill: var(--new) } .failed { fill: var(--text) }
  .stroke { fill: none; stroke: var(--muted); stroke-width: 2.5; stroke-linecap: round; stroke-linejoin: round }
  .tick { fill: none; stroke: var(--on-good); stroke-width: 3; stroke-linecap: round; stroke-linejoin: round }
"""


def length(question: str, passages: list[str]) -> int | None:
    """The characters of all texts; None: they have no room in the picture."""
    fits = len(_lines(question, _QUESTION)) <= _QUESTION_LINES and all(
        len(_lines(passage, _PASSAGE)) <= _PASSAGE_LINES for passage in passages
    )
    return len(question) + sum(map(len, passages)) if fits else None


def says(measured: dict[str, Any]) -> str:
    """The text for those who do not see the picture."""
    question, verdict, swap = measured["question"], measured["verdict"], measured["swap"]
    tests = measured["questions"]["test"]
    first = [f"{verdict[name] / tests:.0%}" for name in ("first_before", "first_after")]
    return (
        f"The answer to “{question['text']}” {_came(question)} with the base model and {_comes(question)} with the"
        f" tuned one. The verdict: {verdict['better']} of {tests} questions got better, {verdict['worse']} worse; the"
        f" answer comes first for {first[1]} instead of {first[0]}: {verdict['outcome']}. The swap: {swap['failed']} of"
        f" {swap['searches']:,} searches failed while the new model took over."
    )


def described(text: str, measured: dict[str, Any]) -> str:
    """A Markdown `text` that shows the picture, with what it says for those who do not see it."""
    return _SHOWN.sub(lambda _: f"![{says(measured)}](docs/hero.svg)", text)


def svg(measured: dict[str, Any]) -> str:
    """The picture as SVG."""
    above, bottom = _question(measured)
    height = bottom + _GAP + _LOWER + _EDGE
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}"'
        ' role="img" aria-labelledby="said">',
        f'<title id="said">{escape(says(measured))}</title>',
        f"<style>{_STYLE}</style>",
        f'<rect x="1" y="1" width="{_WIDTH - 2}" height="{height - 2}" rx="14" style="fill: var(--ground); stroke:'
        ' var(--line)"/>',
        *above,
        *_verdict(measured, bottom + _GAP),
        *_swap(measured["swap"], bottom + _GAP),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _question(measured: dict[str, Any]) -> tuple[list[str], int]:
    """The question, and the first passages before and after; and where that ends."""
    question = measured["question"]
    asked = _lines(question["text"], _QUESTION)
    height = 24 + len(asked) * _QUESTION_STEP
    parts = [
        f'<rect class="card" x="{_EDGE}" y="{_EDGE}" width="{_WIDTH - 2 * _EDGE}" height="{height}" rx="27"/>',
        f'<circle class="stroke" cx="{_EDGE + 31}" cy="{_EDGE + height // 2 - 2}" r="9"/>',
        f'<path class="stroke" d="M{_EDGE + 38} {_EDGE + height // 2 + 5}l7 7"/>',
        *(_text(_EDGE + 60, _EDGE + 35 + number * _QUESTION_STEP, line, "ask") for number, line in enumerate(asked)),
    ]
    top = _EDGE + height + 36
    heads = (("Before", "the base model"), ("After", f"tuned on {measured['questions']['train']} other questions"))
    for x, (head, by) in zip(_COLUMNS, heads, strict=True):
        parts.append(
            f'<text x="{x + 4}" y="{top}"><tspan class="head">{head}</tspan>'
            f'<tspan class="muted" dx="8">{by}</tspan></text>'
        )
    top += 14
    for place, pair in enumerate(zip(question["before"], question["after"], strict=True), 1):
        lines = [_lines(line["text"], _PASSAGE) for line in pair]
        height = max(map(len, lines)) * _STEP + 28
        for x, line, wrapped in zip(_COLUMNS, pair, lines, strict=True):
            parts += _passage(x, top, height, place, wrapped, lit=line["good"])
        top += height + 8
    captions = (_came(question), _comes(question))
    for x, caption, kind in zip(_COLUMNS, captions, ("muted", "bold good"), strict=True):
        parts.append(_text(x + 4, top + 16, f"The answer {caption}", kind))
    return parts, top + 22


def _passage(x: int, y: int, height: int, place: int, lines: list[str], *, lit: bool) -> Iterator[str]:
    yield f'<rect class="{"lit" if lit else "card"}" x="{x}" y="{y}" width="{_HALF}" height="{height}" rx="10"/>'
    if lit:
        yield from _tick(x + 25, y + 28)
    else:
        yield f'<circle class="track" cx="{x + 25}" cy="{y + 28}" r="14"/>'
        yield _text(x + 25, y + 34, str(place), "middle muted bold")
    for number, line in enumerate(lines):
        yield _text(x + 50, y + 34 + number * _STEP, line)


def _verdict(measured: dict[str, Any], y: int) -> Iterator[str]:
    """The verdict in plain words, and how often the answer comes first."""
    verdict, tests = measured["verdict"], measured["questions"]["test"]
    x = _COLUMNS[0]
    yield f'<rect class="card" x="{x}" y="{y}" width="{_HALF}" height="{_LOWER}" rx="10"/>'
    promoted = verdict["outcome"] == "PROMOTE"
    if promoted:
        yield from _tick(x + 32, y + 35)
    yield _text(x + (56 if promoted else 18), y + 46, verdict["outcome"], "large good" if promoted else "large")
    yield _text(x + 18, y + 80, f"{verdict['better']} of {tests} questions got better,")
    yield _text(x + 18, y + 80 + _STEP, f"{verdict['worse']} worse.")
    yield _text(x + 18, y + 144, "The answer comes first:", "muted small")
    width = _HALF - 36 - 74 - 56
    for row, (name, first, kind) in enumerate((("before", "first_before", "old"), ("after", "first_after", "new"))):
        share, middle = verdict[first] / tests, y + 164 + row * 30
        yield _text(x + 18, middle + 6, name)
        yield f'<rect class="track" x="{x + 92}" y="{middle - 9}" width="{width}" height="18" rx="4"/>'
        yield f'<rect class="{kind}" x="{x + 92}" y="{middle - 9}" width="{share * width:.1f}" height="18" rx="4"/>'
        yield _text(x + _HALF - 18, middle + 6, f"{share:.0%}", "end bold")


def _swap(swap: dict[str, Any], y: int) -> Iterator[str]:
    """Searches over time by the model that answered, and how many failed."""
    x, width, floor, tall = _COLUMNS[1] + 18, _HALF - 36, y + 176, 76
    yield f'<rect class="card" x="{_COLUMNS[1]}" y="{y}" width="{_HALF}" height="{_LOWER}" rx="10"/>'
    yield _text(x, y + 46, f"{swap['failed']} of {swap['searches']:,}", "large")
    yield _text(x, y + 80, "searches failed during the swap.")
    bars = swap["bars"]
    most, step = max(map(sum, bars)), width / len(bars)
    for number, bar in enumerate(bars):
        foot = float(floor)
        for count, kind in zip(bar, ("old", "new", "failed"), strict=True):
            if count:
                foot -= count / most * tall
                yield (
                    f'<rect class="{kind}" x="{x + number * step:.1f}" y="{foot:.1f}" width="{step - 1.5:.1f}"'
                    f' height="{count / most * tall:.1f}"/>'
                )
    began, ended = (x + moment / swap["bar_seconds"] * step for moment in swap["reload"])
    yield f'<path class="stroke" style="stroke-width: 1.5" d="M{began:.1f} {floor + 6}v6H{ended:.1f}v-6"/>'
    yield _text(int((began + ended) / 2), floor + 32, "reload", "middle muted small")
    yield _text(x, floor + 32, "old model", "bold old small")
    yield _text(x + width, floor + 32, "new model", "bold new small end")


def _lines(text: str, most: int) -> list[str]:
    """The text in as few lines as go with `most` characters in each, and these of like length."""
    # A no-break space keeps this sign from the beginning of a line.
    kept = text.replace(f" {_THEN}", f"\N{NO-BREAK SPACE}{_THEN}")
    fewest = len(textwrap.wrap(kept, most))
    wrapped = (textwrap.wrap(kept, width) for width in range(most // 2, most + 1))
    return next(lines for lines in wrapped if len(lines) == fewest)


def _tick(x: int, y: int) -> Iterator[str]:
    """A sign that says to people who see few colours, too, that something is good."""
    yield f'<circle class="good" cx="{x}" cy="{y}" r="14"/>'
    yield f'<path class="tick" d="M{x - 6} {y}l5 5l8 -10"/>'


def _text(x: int, y: int, text: str, kind: str = "") -> str:
    return f'<text x="{x}" y="{y}" class="{kind}">{escape(text)}</text>'


def _came(question: dict[str, Any]) -> str:
    rank = question["rank_before"]
    return f"was not among the first {question['asked_for']}" if rank is None else f"was in place {rank}"


def _comes(question: dict[str, Any]) -> str:
    rank = question["rank_after"]
    return "comes first" if rank == 1 else f"is in place {rank}"

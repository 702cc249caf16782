"""A notebook as a page: its text, its code, and what the code printed."""

import json

# No line of code and none that is printed has as many backticks in a row.
FENCE = "`" * 8


def as_markdown(text: str) -> str:
    """The Markdown of a notebook, which is JSON in the form of Jupyter, version 4."""
    parts = []
    for cell in json.loads(text)["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(source)
            continue
        parts.append(_fenced("python", source))
        printed = "".join("".join(output["text"]) for output in cell["outputs"] if output["output_type"] == "stream")
        if printed:
            parts.append(_fenced("text", printed))
    return "\n\n".join(parts)


def _fenced(language: str, text: str) -> str:
    return f"{FENCE}{language}\n{text.rstrip()}\n{FENCE}"

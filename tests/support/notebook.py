"""`python -m tests.support.notebook NOTEBOOK [OUTPUT]`: run all cells from top to bottom, and keep what they print.

It needs nothing of Jupyter. The cells have one namespace, as there, and the folder in which the command was started.
OUTPUT is the notebook with what was printed; without it, NOTEBOOK is written anew.
"""

import json
import sys
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

# A bar is redrawn, and is no output that anybody reads afterwards, so only standard output is kept.
_STREAM = {"output_type": "stream", "name": "stdout"}


def code_cells(notebook: dict[str, Any]) -> list[dict[str, Any]]:
    """The cells with code, in their order."""
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def printed(cell: dict[str, Any]) -> str:
    """The text that a cell has printed."""
    return "".join(line for output in cell["outputs"] for line in output["text"])


def run(notebook: dict[str, Any]) -> None:
    """Run the cells, and put into each what it prints."""
    names: dict[str, object] = {"__name__": "__main__"}
    for number, cell in enumerate(code_cells(notebook), 1):
        said = StringIO()
        with redirect_stdout(said):
            exec(compile("".join(cell["source"]), f"<cell {cell['id']}>", "exec"), names)  # noqa: S102
        print(f"[{number}] {cell['id']}\n{said.getvalue()}", flush=True)
        text = said.getvalue().splitlines(keepends=True)
        cell["outputs"] = [{**_STREAM, "text": text}] if text else []
        cell["execution_count"] = number


def main() -> None:
    source = Path(sys.argv[1])
    target = Path(sys.argv[2]) if len(sys.argv) > 2 else source
    # A cell may change the folder.
    target = target.resolve()
    notebook = json.loads(source.read_text(encoding="utf-8"))
    run(notebook)
    target.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

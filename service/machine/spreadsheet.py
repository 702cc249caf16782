"""Cells of a file that people open in a spreadsheet, which would compute what looks like a formula."""

# A cell that begins with one of these is taken for a formula (OWASP, CSV injection).
_FORMULAS = ("=", "+", "-", "@", "\t", "\r")


def harmless(text: str) -> str:
    """Return the text as a cell that is shown and never computed."""
    return f"'{text}" if _begins_formula(text) else text


def plain(cell: str) -> str:
    """Return the text that `harmless` made the cell of."""
    return cell[1:] if cell.startswith("'") and _begins_formula(cell) else cell


def _begins_formula(text: str) -> bool:
    # A mark that was there before gets another one, or `plain` would take it away.
    return text.lstrip("'").startswith(_FORMULAS)

"""A learning rate as a table shows it."""


def shown(rate: float | None) -> str:
    """The rate. A run of a former version did not note it, and its default was another one."""
    return "not noted" if rate is None else f"{rate:.0e}"

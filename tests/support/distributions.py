"""The distributions that pip would install for some requirements, out of those of this environment."""

from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


def needed(requirements: Iterable[Requirement]) -> dict[str, metadata.Distribution]:
    """The distributions of the requirements and all that these need, by their names."""
    waiting = list(requirements)
    asked: set[tuple[str, str]] = set()
    distributions: dict[str, metadata.Distribution] = {}
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        # The empty extra stands for what is needed in any case.
        for extra in {"", *requirement.extras} - {extra for asked_name, extra in asked if asked_name == name}:
            asked.add((name, extra))
            distributions[name] = metadata.distribution(name)
            further = map(Requirement, distributions[name].requires or ())
            waiting += [each for each in further if each.marker is None or each.marker.evaluate({"extra": extra})]
    return distributions


def link(distributions: Iterable[metadata.Distribution], folder: Path) -> None:
    """Make a folder of packages that holds the files of the distributions, as links, and nothing else."""
    for distribution in distributions:
        for file in distribution.files or ():
            # Programs and manuals lie elsewhere.
            if ".." not in file.parts:
                (folder / file).parent.mkdir(parents=True, exist_ok=True)
                (folder / file).symlink_to(str(distribution.locate_file(file)))

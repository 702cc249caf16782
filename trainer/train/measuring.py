"""How often a training measures dev: three times at least, and at its end, where the learning rate is lowest."""

_FEWEST = 3


def steps_between(steps: int, most: int) -> int:
    """The steps between two measurements of a training of so many `steps`: at most `most`."""
    return max(1, steps // max(_FEWEST, -(-steps // most)))


def measurements(steps: int, most: int) -> int:
    """The measurements that such a training makes. The last one is after its last step."""
    return -(-steps // steps_between(steps, most))

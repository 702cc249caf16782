"""`python -m service`: run the service with the settings of the environment."""

import os
import sys

from pydantic import ValidationError

from service.settings import Settings


def main() -> int:
    """Run until a signal; returns the exit code: 1 if the service cannot start, 2 if a setting is wrong."""
    try:
        settings = Settings()
    except ValidationError as error:
        for problem in error.errors():
            name = "_".join(["INSTAR", *map(str, problem["loc"])]).upper() if problem["loc"] else "settings"
            print(f"{name}: {problem['msg']}", file=sys.stderr)
        return 2
    # GNU's OpenMP, which torch computes with, lets threads that wait for each other spin for milliseconds. On a
    # machine with anything else to do, they spin while the one they wait for cannot run, and encoding takes
    # many times as long (docs/measurements.md). It reads this once, when torch loads it.
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    # After the settings, because it brings torch along: a wrong setting is said at once.
    from service.server import serve  # noqa: PLC0415

    return serve(settings)


if __name__ == "__main__":
    sys.exit(main())

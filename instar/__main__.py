"""`python -m instar`, which is `instar`."""

import sys

from instar.command_line import main

if __name__ == "__main__":
    sys.exit(main())

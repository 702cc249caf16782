"""The command `key`: make, list and revoke keys."""

import argparse
import sys
from pathlib import Path

from service.access import keyring
from service.access.keyring import SCOPES, KeyFileError, Limits
from service.settings import Settings

SETTINGS = ("data_dir", "keys_file")
DESCRIPTION = "Make, list and revoke the keys of callers. A service that runs takes the changes at once."
_CREATE = "instar key create shop --scope search --scope feedback"
EXAMPLE = f"{_CREATE}\n  instar key list\n  instar key revoke shop"
LISTENS = False


def add(parser: argparse.ArgumentParser) -> None:
    """Add what is to be done with which key."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    creating = actions.add_parser("create", help="make a key, and print it this once", example=_CREATE)
    creating.add_argument("name", help="whose it is: letters, digits, '.', '_' and '-'")
    creating.add_argument(
        "--scope", action="append", required=True, choices=SCOPES, help="what it may do; may be given again"
    )
    for limit in Limits.model_fields:
        creating.add_argument(f"--{limit.replace('_', '-')}", type=_positive, metavar="N")
    actions.add_parser("list", help="all keys, without what they are", example="instar key list")
    revoking = actions.add_parser(
        "revoke", help="make a key useless, also for a service that runs", example="instar key revoke shop"
    )
    revoking.add_argument("name")


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Change or list the file of keys; returns the exit code, 0 or, if it fails, 1."""
    path = settings.keys_path
    try:
        if arguments.action == "create":
            limits = {name: getattr(arguments, name) for name in Limits.model_fields}
            print(keyring.create(path, arguments.name, arguments.scope, Limits(**limits)))
        elif arguments.action == "revoke":
            keyring.revoke(path, arguments.name)
        else:
            _list(path)
    except KeyFileError as error:
        print(error.message, file=sys.stderr)
        return 1
    return 0


def _positive(text: str) -> int:
    if (number := int(text)) < 1:
        raise argparse.ArgumentTypeError(f"{number} is less than 1: leave it out for no limit")
    return number


def _list(path: Path) -> None:
    for key in keyring.read(path):
        limits = [f"{name.replace('_', ' ')} {most}" for name, most in key.limits if most is not None]
        state = "valid" if key.revoked is None else f"revoked {key.revoked:%Y-%m-%d %H:%M}"
        scopes = ",".join(scope for scope in SCOPES if scope in key.scopes)
        print(f"{key.name:<20} {scopes:<26} {state:<26} {key.created:%Y-%m-%d %H:%M}  {', '.join(limits)}".rstrip())

"""Keys made while the service runs neither close it by mistake nor leave it without a key for administration."""

import threading
from pathlib import Path

import pytest

from service.access import keyring
from service.access.key_changes import KeyChanges
from service.access.keyring import KeyFileError, KeyRefused, Keyring, KeyUnknown, Limits, Scope

ADMIN: frozenset[Scope] = frozenset(("admin",))
DATA: frozenset[Scope] = frozenset(("embed", "search", "write"))
NONE = Limits()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys.json"


def test_the_first_key_closes_the_service_and_this_has_to_be_wanted(path: Path) -> None:
    keys = Keyring(path, {})
    changes = KeyChanges(keys)
    with pytest.raises(KeyRefused, match=r"everybody here has the scopes embed, search.*send close_service true"):
        changes.make("ann", ["admin"], NONE, close_service=False)
    assert not path.exists()
    assert keys.is_open("admin")
    key, token = changes.make("ann", ["admin"], NONE, close_service=True)
    assert keys.find(token) == key
    assert not any(keys.is_open(scope) for scope in keyring.SCOPES)
    assert token not in path.read_text()
    # Later ones close nothing.
    changes.make("bob", ["search"], NONE, close_service=False)


def test_the_first_key_opens_administration_unless_another_does(path: Path) -> None:
    with pytest.raises(KeyRefused, match="make one with admin first"):
        KeyChanges(Keyring(path, {})).make("ann", ["search", "judge"], NONE, close_service=True)
    assert not path.exists()
    by_settings = KeyChanges(Keyring(path, {"INSTAR_ADMIN_KEY": ("word", ADMIN)}))
    with pytest.raises(KeyRefused, match="the scopes embed, search, write: send"):
        by_settings.make("ann", ["judge"], NONE, close_service=False)
    by_settings.make("ann", ["judge"], NONE, close_service=True)


def test_with_keys_for_everything_in_the_settings_nothing_is_closed(path: Path) -> None:
    both = {"INSTAR_API_KEY": ("data", DATA), "INSTAR_ADMIN_KEY": ("admin", ADMIN)}
    KeyChanges(Keyring(path, both)).make("ann", ["search"], NONE, close_service=False)
    KeyChanges(Keyring(path, {"INSTAR_ADMIN_KEY": ("admin", ADMIN)}, closed=True)).make(
        "bob", ["search"], NONE, close_service=False
    )


def test_a_key_is_revoked_at_once_and_never_the_last_for_administration(path: Path) -> None:
    keys = Keyring(path, {})
    changes = KeyChanges(keys)
    changes.make("ann", ["admin"], NONE, close_service=True)
    _, token = changes.make("bob", ["admin", "search"], NONE, close_service=False)
    assert changes.revoke("bob").revoked is not None
    assert keys.find(token) is None
    with pytest.raises(KeyRefused, match="'ann' is the last key with the scope admin"):
        changes.revoke("ann")
    with pytest.raises(KeyUnknown, match=r"valid keys \(ann\)"):
        changes.revoke("bob")
    again, _ = changes.make("bob", ["search"], NONE, close_service=False)
    assert again.revoked is None
    assert [key.name for key in keys.keys] == ["ann", "bob", "bob"]


def test_keys_of_the_settings_are_neither_taken_nor_revoked(path: Path) -> None:
    changes = KeyChanges(Keyring(path, {"INSTAR_ADMIN_KEY": ("word", ADMIN)}, closed=True))
    with pytest.raises(KeyRefused, match="there is a key 'INSTAR_ADMIN_KEY'"):
        changes.make("INSTAR_ADMIN_KEY", ["search"], NONE, close_service=True)
    with pytest.raises(KeyRefused, match="remove the variable"):
        changes.revoke("INSTAR_ADMIN_KEY")


def test_a_file_that_is_gone_is_not_begun_again(path: Path) -> None:
    changes = KeyChanges(Keyring(path, {}))
    changes.make("ann", ["admin"], NONE, close_service=True)
    path.unlink()
    for change in (lambda: changes.make("bob", ["admin"], NONE, close_service=True), lambda: changes.revoke("ann")):
        with pytest.raises(KeyFileError, match="is gone: restore it"):
            change()
    assert not path.exists()


def test_what_was_made_at_the_command_line_a_moment_ago_is_seen(path: Path) -> None:
    keys = Keyring(path, {})
    changes = KeyChanges(keys)
    keyring.create(path, "ann", ["admin"], NONE)
    with pytest.raises(KeyRefused, match="there is a key 'ann'"):
        changes.make("ann", ["admin"], NONE, close_service=True)
    changes.make("bob", ["search"], NONE, close_service=False)
    assert changes.revoke("bob").name == "bob"


def test_keys_made_at_the_same_time_are_all_there(path: Path) -> None:
    keys = Keyring(path, {})
    changes = KeyChanges(keys)
    changes.make("first", ["admin"], NONE, close_service=True)

    def make(number: int) -> None:
        changes.make(f"key-{number}", ["search"], NONE, close_service=False)

    threads = [threading.Thread(target=make, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(keyring.read(path)) == 9


def test_the_last_use_of_a_key_is_known_and_a_new_key_has_none(path: Path) -> None:
    keys = Keyring(path, {"INSTAR_ADMIN_KEY": ("word", ADMIN)}, closed=True)
    changes = KeyChanges(keys)
    key, token = changes.make("ann", ["search"], NONE, close_service=False)
    assert keys.last_used(key) is None
    keys.find(token)
    assert keys.last_used(key) is not None
    changes.revoke("ann")
    again, _ = changes.make("ann", ["search"], NONE, close_service=False)
    assert keys.last_used(again) is None


def test_who_may_judge_without_a_key_is_who_may_administer(path: Path) -> None:
    assert Keyring(path, {}).is_open("judge")
    assert Keyring(path, {"INSTAR_API_KEY": ("data", DATA)}).is_open("judge")
    assert not Keyring(path, {"INSTAR_ADMIN_KEY": ("word", ADMIN)}).is_open("judge")

"""Keys are stored as hashes, found in constant time and revoked at once; each may ask as much as its limits allow."""

import errno
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from service.access import keyring
from service.access.keyring import Key, KeyFileError, Keyring, Limits, Scope
from service.access.limits import RateLimits
from service.errors import LimitReached
from service.machine import owned_file


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "keys.json"


def ring(path: Path, monkeypatch: pytest.MonkeyPatch) -> Keyring:
    monkeypatch.setattr(keyring, "_LOOK_EVERY", 0)
    return Keyring(path, {})


def test_a_key_is_found_by_its_token_and_kept_as_a_hash(path: Path) -> None:
    token = keyring.create(path, "rag-app", ["embed", "search"], Limits(requests_per_minute=5))
    key = Keyring(path, {}).find(token)
    assert key is not None
    assert (key.name, key.limits.requests_per_minute) == ("rag-app", 5)
    assert key.scopes == {"embed", "search"}
    assert token not in path.read_text()
    assert len(token) > 40
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600  # noqa: PTH116
    for wrong in ("", token[:-1], token + "a", key.digest, "rag-app"):
        assert Keyring(path, {}).find(wrong) is None


def test_what_is_made_and_revoked_counts_without_a_restart(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    running = ring(path, monkeypatch)
    assert running.is_open("search")
    token = keyring.create(path, "a", ["search"], Limits())
    assert running.find(token) is not None
    keyring.revoke(path, "a")
    assert running.find(token) is None
    # The last key is gone, and the doors stay shut.
    assert not running.is_open("search")
    again = keyring.create(path, "a", ["search"], Limits())
    assert running.find(token) is None
    assert running.find(again) is not None
    assert [key.revoked is None for key in keyring.read(path)] == [False, True]


def test_the_first_key_closes_a_service_that_runs_open(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    running = ring(path, monkeypatch)
    assert running.is_open("admin")
    keyring.create(path, "a", ["search"], Limits())
    # Nobody brings a key to an open service, so no key is looked for before this question.
    assert not running.is_open("admin")


def test_a_file_that_breaks_or_goes_leaves_the_keys_as_they_were(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    running = ring(path, monkeypatch)
    token = keyring.create(path, "a", ["search"], Limits())
    assert running.find(token) is not None
    for harm in (lambda: path.write_text("["), path.unlink):
        harm()
        assert running.find(token) is not None
        assert not running.is_open("search")
    path.write_text('[{"name": "a"}]')
    with pytest.raises(KeyFileError, match="not a file of keys"):
        Keyring(path, {})


def test_a_file_that_could_not_be_read_counts_once_its_user_may_read_it(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = ring(path, monkeypatch)
    token = keyring.create(path, "a", ["search"], Limits())

    def refused(_: Path) -> list[Key]:
        raise KeyFileError("it cannot be read: let this user read it")

    # As for a file of root's, whose version is the same once it is given away. Root reads every file.
    with monkeypatch.context() as unreadable:
        unreadable.setattr(keyring, "read", refused)
        for _ in range(2):
            assert not running.is_open("search")
            assert running.find(token) is None
    assert running.find(token) is not None
    assert not running.is_open("search")


def test_names_are_words_and_only_once(path: Path) -> None:
    keyring.create(path, "a", ["search"], Limits())
    with pytest.raises(KeyFileError, match="revoke it first"):
        keyring.create(path, "a", ["embed"], Limits())
    for name in ("", "a b", "ä", "a/b", "x" * 65):
        with pytest.raises(KeyFileError, match="1 to 64 letters"):
            keyring.create(path, name, ["embed"], Limits())
    with pytest.raises(KeyFileError, match=r"valid keys \(a\)"):
        keyring.revoke(path, "b")


def permissions(path: Path) -> tuple[int, int, int]:
    status = path.stat()
    return status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)


def test_a_changed_file_can_be_read_by_whom_it_could_be_read_before(path: Path) -> None:
    keyring.create(path, "a", ["search"], Limits())
    path.chmod(0o640)
    keyring.revoke(path, "a")
    assert permissions(path)[2] == 0o640


@pytest.mark.skipif(os.geteuid() != 0, reason="root alone has files of other users")
def test_root_leaves_the_keys_to_the_user_of_the_service(path: Path) -> None:
    path.parent.mkdir()
    os.chown(path.parent, 4242, 4243)
    keyring.create(path, "a", ["search"], Limits())
    lock = path.with_name(".keys.json.lock")
    assert permissions(path) == permissions(lock) == (4242, 4243, 0o600)
    # The folder may be root's, and a group's that the service is in.
    lock.unlink()
    os.chown(path.parent, 0, 4243)
    os.chown(path, 4242, 4244)
    path.chmod(0o640)
    keyring.revoke(path, "a")
    assert permissions(path) == (4242, 4244, 0o640)
    assert permissions(lock) == (4242, 4244, 0o600)


def test_a_lock_that_cannot_be_opened_is_named(path: Path) -> None:
    keyring.create(path, "a", ["search"], Limits())
    lock = path.with_name(".keys.json.lock")
    lock.unlink()
    lock.symlink_to("elsewhere")
    with pytest.raises(
        KeyFileError, match=rf"^{lock} cannot be opened .* give it to the owner of {path}, or delete it"
    ):
        keyring.revoke(path, "a")


def refuse(*_: object) -> None:
    raise PermissionError(errno.EPERM, "Operation not permitted")


def test_a_file_that_the_service_could_not_read_any_more_is_not_written(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keyring.create(path, "a", ["search"], Limits())
    before = path.read_bytes()
    path.with_name(".keys.json.lock").unlink()
    # Another user who may write to the folder.
    monkeypatch.setattr(os, "fchown", refuse)
    status = os.stat_result((stat.S_IFREG | 0o600, 0, 0, 1, 4242, 4243, 0, 0, 0, 0))
    monkeypatch.setattr(owned_file, "_status", lambda _: status)
    for change in (lambda: keyring.create(path, "b", ["search"], Limits()), lambda: keyring.revoke(path, "a")):
        with pytest.raises(KeyFileError, match="run `instar key` as the user of the service"):
            change()
    assert path.read_bytes() == before
    # A lock would be the other user's as well.
    assert list(path.parent.iterdir()) == [path]


def test_a_file_system_that_maps_owners_refuses_no_change(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keyring.create(path, "a", ["search"], Limits())
    # Each file there is the owner's of the others, whoever makes it.
    monkeypatch.setattr(os, "geteuid", lambda: 4242)
    monkeypatch.setattr(os, "fchown", refuse)
    keyring.revoke(path, "a")
    assert keyring.read(path)[0].revoked is not None


def test_changes_at_the_same_time_lose_nothing_and_bring_no_revoked_key_back(path: Path) -> None:
    keyring.create(path, "old", ["search"], Limits())
    names = [f"new-{number}" for number in range(8)]
    with ThreadPoolExecutor(len(names) + 1) as pool:
        # The lock is between open files, so that threads stand for processes.
        made = [pool.submit(keyring.create, path, name, ["search"], Limits()) for name in names]
        revoked = pool.submit(keyring.revoke, path, "old")
    assert revoked.exception() is None
    assert all(each.exception() is None for each in made)
    assert {key.name for key in keyring.read(path) if key.revoked is None} == set(names)


def test_keys_of_the_settings_close_what_they_are_for(path: Path) -> None:
    from_settings: dict[str, tuple[str, frozenset[Scope]]] = {"INSTAR_API_KEY": ("word", frozenset(("search",)))}
    running = Keyring(path, from_settings)
    assert not running.is_open("search")
    assert running.is_open("admin")
    key = running.find("word")
    assert key is not None
    assert key.name == "INSTAR_API_KEY"


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def limited(**limits: Any) -> tuple[Key, RateLimits, Clock]:
    clock = Clock()
    key = Key(
        name="a",
        digest="0" * 64,
        scopes=frozenset(("embed",)),
        limits=Limits(**limits),
        created="2026-01-01T00:00:00Z",
    )
    return key, RateLimits(clock), clock


def test_requests_beyond_the_limit_wait_as_long_as_they_are_told() -> None:
    key, limits, clock = limited(requests_per_minute=6)
    for _ in range(6):
        limits.charge_request(key)
    with pytest.raises(LimitReached) as refused:
        limits.charge_request(key)
    assert refused.value.retry_after == 10
    clock.now += 9.9
    with pytest.raises(LimitReached):
        limits.charge_request(key)
    clock.now += 0.1
    limits.charge_request(key)
    with pytest.raises(LimitReached):
        limits.charge_request(key)


def test_tokens_are_counted_when_they_were_spent() -> None:
    key, limits, clock = limited(tokens_per_minute=60, tokens_per_day=86_400)
    limits.charge_request(key)
    limits.charge_tokens(90)
    with pytest.raises(LimitReached) as refused:
        limits.charge_request(key)
    assert refused.value.retry_after == 31
    clock.now += 31
    limits.charge_request(key)
    limits.charge_tokens(86_400)
    clock.now += 3600
    with pytest.raises(LimitReached):
        limits.charge_request(key)


def test_a_limit_that_is_raised_counts_at_once_and_keys_do_not_share() -> None:
    key, limits, _ = limited(requests_per_day=1)
    limits.charge_request(key)
    with pytest.raises(LimitReached):
        limits.charge_request(key)
    limits.charge_request(key.model_copy(update={"name": "b"}))
    limits.charge_request(key.model_copy(update={"limits": Limits(requests_per_day=2)}))
    for _ in range(1000):
        limits.charge_request(key.model_copy(update={"name": "c", "limits": Limits()}))

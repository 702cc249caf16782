"""Wrong keys are counted by address, within bounds."""

from service.console.attempts import Attempts


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_the_eleventh_wrong_key_of_a_minute_waits() -> None:
    clock = Clock()
    attempts = Attempts(clock)
    for second in range(10):
        clock.now = second
        assert not attempts.wait("192.0.2.1")
        attempts.failed("192.0.2.1")
    assert attempts.wait("192.0.2.1") == 51
    assert not attempts.wait("192.0.2.2")
    clock.now = 60
    assert not attempts.wait("192.0.2.1")
    attempts.failed("192.0.2.1")
    assert attempts.wait("192.0.2.1") == 1


def test_addresses_are_forgotten_in_their_order() -> None:
    attempts = Attempts(Clock())
    for _ in range(10):
        attempts.failed("first")
    for number in range(9_999):
        attempts.failed(f"address {number}")
    assert attempts.wait("first") == 60
    attempts.failed("one more")
    assert not attempts.wait("first")

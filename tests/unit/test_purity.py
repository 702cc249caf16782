"""What a unit test may not do fails."""

import socket

import pytest
from pytest_socket import SocketBlockedError


def test_a_unit_test_opens_no_socket() -> None:
    with pytest.warns(UserWarning, match="tried to use socket"), pytest.raises(SocketBlockedError):
        socket.socket()

"""Settings that would be unsafe together are refused."""

import pytest
from pydantic import ValidationError

from service.settings import Settings


def test_without_an_admin_key_only_loopback_is_listened_on() -> None:
    for host in ("127.0.0.1", "127.1.2.3", "::1", "localhost"):
        assert Settings(host=host).host == host
        for other in ("0.0.0.0", "::", "192.168.0.1", "example.org", ""):
            with pytest.raises(ValidationError, match="set INSTAR_ADMIN_KEY"):
                Settings(host=other)
            assert Settings(host=other, admin_key="k").host == other

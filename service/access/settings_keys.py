"""The keys that the settings hold."""

from service.access.keyring import Scope
from service.settings import Settings


def keys_of_settings(settings: Settings) -> dict[str, tuple[str, frozenset[Scope]]]:
    """Return each key and its scopes, by the name of its setting."""
    data: frozenset[Scope] = frozenset(("embed", "search", "write"))
    admin: frozenset[Scope] = frozenset(("admin",))
    # The admin key stands first, so that a key that is both may do everything.
    both = (("INSTAR_ADMIN_KEY", settings.admin_key, admin), ("INSTAR_API_KEY", settings.api_key, data))
    return {name: (key.get_secret_value(), scopes) for name, key, scopes in both if key is not None}

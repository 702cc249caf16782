"""`GET /admin/settings`: say which settings are in force, and where each comes from."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import cast

from service.api.openapi import settings as documented
from service.api.router import Admission, Router
from service.api.schemas.settings import SettingAnswer, SettingsAnswer
from service.settings import Settings
from service.settings.in_force import settings_in_force


def routes(admission: Admission, settings: Settings, environment: Mapping[str, str]) -> Router:
    """The route of the settings, which were read from `environment`."""
    router = Router(admission, "admin", "admin")
    router.add("GET /admin/settings", _Settings(settings, environment).list_settings, documented.LIST)
    return router


class _Settings:
    def __init__(self, settings: Settings, environment: Mapping[str, str]) -> None:
        listed = settings_in_force(settings, environment)
        self._listed = [cast(SettingAnswer, asdict(setting)) for setting in listed]

    async def list_settings(self) -> SettingsAnswer:
        """List every setting with its value, its default, and where the value comes from. Secrets are never shown."""
        return {"settings": self._listed}

"""Former names of settings. Each goes on working for one release, with a warning that says the new name."""

from collections.abc import Mapping

from pydantic_settings import BaseSettings, EnvSettingsSource

PREFIX = "INSTAR_"

# Former name: present name, without the prefix.
_RENAMED = {
    "TLS_CERTIFICATE": "TLS__CERTIFICATE",
    "TLS_KEY": "TLS__KEY",
    "TRUSTED_PROXIES": "PROXY__TRUSTED",
    "ROOT_PATH": "PROXY__PATH",
    "TRUSTED_KEYS_FILE": "SIGNERS_FILE",
    "OPENAI_SIDES": "CLIENTS__OPENAI_SIDES",
    "TOKEN_IDS": "CLIENTS__TOKEN_IDS",
    "RETAIN_HOURS": "RETENTION__HOURS",
    "KEEP_VECTORS": "RETENTION__VECTORS",
    "WEBHOOK_URL": "WEBHOOK__URL",
    "WEBHOOK_SECRET": "WEBHOOK__SECRET",
    "PROCESSORS": "COMPUTE__CORES",
    "BATCH_TOKENS": "COMPUTE__BATCH_TOKENS",
    "BULK_BATCH_TOKENS": "COMPUTE__BULK_BATCH_TOKENS",
    "QUEUE_SECONDS": "COMPUTE__QUEUE_SECONDS",
    "TRIAL_SECONDS": "COMPUTE__TRIAL_SECONDS",
    "GRAPH_FROM": "INDEX__HNSW_FROM",
    "MIN_RECALL": "INDEX__MIN_RECALL",
    "MAX_JUDGED_LOSS": "GATE__MAX_LOSS",
    "MAX_BODY": "LIMITS__BODY",
    "MAX_INPUTS": "LIMITS__INPUTS",
    "MAX_TEXT": "LIMITS__TEXT",
    "MAX_METADATA": "LIMITS__METADATA",
    "MAX_K": "LIMITS__K",
    "MAX_QUERIES": "LIMITS__QUERIES",
    "MAX_JUDGEMENTS": "LIMITS__JUDGEMENTS",
    "MAX_STREAMS": "LIMITS__STREAMS",
    "MAX_CHECKPOINT": "LIMITS__CHECKPOINT",
    "MEMORY_RESERVE": "HEADROOM__MEMORY",
    "DISK_RESERVE": "HEADROOM__DISK",
    "LOG_LEVEL": "LOG__LEVEL",
    "LOG_FORMAT": "LOG__FORMAT",
    "LOG_TEXTS": "LOG__TEXTS",
    "LOG_LEVEL_FILE": "LOG__LEVEL_FILE",
}

FORMER: Mapping[str, str] = {PREFIX + former: PREFIX + name for former, name in _RENAMED.items()}

GONE: Mapping[str, str] = {
    f"{PREFIX}QUEUE_TOKENS": f"{PREFIX}COMPUTE__QUEUE_SECONDS bounds what waits, and a lane holds 262,144 tokens",
}


class Environment(EnvSettingsSource):
    """The environment, in which a former name stands for the new one. If both are set, the new one counts."""

    def __init__(self, settings_cls: type[BaseSettings]) -> None:
        super().__init__(settings_cls)
        # pydantic-settings looks names up in lower case.
        renamed = {
            name.lower(): self.env_vars[former.lower()]
            for former, name in FORMER.items()
            if former.lower() in self.env_vars
        }
        self.env_vars = {**renamed, **self.env_vars}

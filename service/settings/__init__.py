"""Every setting of the service, read from the environment with the prefix `INSTAR_`.

Settings that many people change are fields here. All others are in groups, whose variables are `INSTAR_GROUP__NAME`.
"""

import ipaddress
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from service.settings.data_folder import DataFolder
from service.settings.former import PREFIX, Environment
from service.settings.groups import (
    LEVELS,
    WEBHOOK_SECRET_PREFIX,
    Clients,
    Compute,
    Feedback,
    Gate,
    Headroom,
    IndexSettings,
    Limits,
    Log,
    LogFormat,
    Proxy,
    ReplicaSettings,
    Retention,
    Searches,
    Tls,
    Webhook,
    Windows,
)

__all__ = ["LEVELS", "WEBHOOK_SECRET_PREFIX", "EngineChoice", "LogFormat", "Settings", "is_loopback"]

EngineChoice = Literal["auto", "torch", "int8"]


class Settings(BaseSettings):
    """The settings, their defaults and what they mean. Sizes are bytes, texts are characters."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_nested_delimiter="__", frozen=True)

    host: str = Field("127.0.0.1", description="address to listen on; only loopback without an `ADMIN_KEY`")
    port: int = Field(8080, ge=0, le=65535, description="port to listen on; 0 takes a free one")
    data_dir: Path = Field(Path("data"), description="folder of the corpus, vectors and kept checkpoints")
    checkpoints_dir: Path = Field(Path("checkpoints"), description="folder in which checkpoints are looked up by name")
    store: SecretStr | None = Field(
        None,
        description="PostgreSQL that has the corpus, what users do and all vectors, for several replicas:"
        " `postgresql://user:password@host/database?sslmode=verify-full`; none: files in `DATA_DIR`",
    )
    model: str = Field("all-MiniLM-L6-v2", description="checkpoint of the very first start; later ones come by reload")
    api_key: SecretStr | None = Field(None, description="key that callers must send; none: open on loopback")
    admin_key: SecretStr | None = Field(None, description="key for `/admin`; none: open, and loopback only")
    retain: int = Field(1, ge=0, description="former generations kept loaded for rollback and pinned clients")
    engine: EngineChoice = Field(
        "auto",
        description="`auto`: the fastest that gives torch's vectors: OpenVINO on CPUs, in bf16, fp32 or int8 by groups,"
        " bf16 on GPUs, else torch in fp32; `torch`: always that; `int8`: quantised on the corpus, where that keeps a"
        " cosine of 0.99, else OpenVINO in bf16 or fp32",
    )
    long: Literal["windows", "truncate"] = Field(
        "windows",
        description="a document that is longer than the model reads: `windows`: is embedded in overlapping windows and"
        " found by the best one; `truncate`: is found by its beginning alone, and the answer of a write says so",
    )
    mode: Literal["dense", "keyword", "hybrid"] = Field(
        "hybrid",
        description="mode of searches that name none: `dense` by vector, `keyword` by BM25, `hybrid` by both; a search"
        " with `min_score` and without a reranker is then still `dense`, because its number is a cosine",
    )
    console: bool = Field(
        True,
        description="serve the console, pages for people, at `/console`; they sign in with a key, if there is any",
    )
    open_data: bool = Field(
        False,
        description="the data routes need no key on any address; without this they need one on all but loopback, and"
        " `ADMIN_KEY` opens them if there is no other key",
    )
    keys_file: Path | None = Field(
        None,
        description="file of named keys, which `instar key` makes; none: `keys.json` in the data folder",
    )
    signers_file: Path | None = Field(
        None,
        description="file of public Ed25519 keys in PEM: only checkpoints that one of them has signed are loaded; none:"
        " signatures are not checked",
    )
    aliases: dict[str, str] = Field(
        {},
        description='names that clients insist on, as JSON: `{"text-embedding-ada-002": "active"}`, or a checkpoint id',
    )
    sample: bool = Field(
        False, description="at start, index the sample corpus into an empty corpus and add a checkpoint to try"
    )
    allow_hub: bool = Field(
        False, description="let Hugging Face names download; otherwise only its local cache is read"
    )
    drain_seconds: int = Field(8, ge=1, description="seconds in which requests in flight have to end after SIGTERM")
    tracing: bool = Field(
        False,
        description="send traces by OTLP to `OTEL_EXPORTER_OTLP_ENDPOINT`, and as OpenTelemetry's other variables say;"
        " needs `pip install 'instar[tracing]'`",
    )

    tls: Tls = Tls()
    proxy: Proxy = Proxy()
    clients: Clients = Clients()
    windows: Windows = Windows()
    retention: Retention = Retention()
    replicas: ReplicaSettings = ReplicaSettings()
    webhook: Webhook = Webhook()
    compute: Compute = Compute()
    index: IndexSettings = IndexSettings()
    gate: Gate = Gate()
    searches: Searches = Searches()
    feedback: Feedback = Feedback()
    limits: Limits = Limits()
    headroom: Headroom = Headroom()
    log: Log = Log()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take arguments first, then the environment, in which former names count, too."""
        return init_settings, Environment(settings_cls)

    @property
    def data_folder(self) -> DataFolder:
        """The folder `data_dir`, with the paths of what is in it."""
        return DataFolder(self.data_dir)

    @property
    def keys_path(self) -> Path:
        """The file of named keys, whether it is there or not."""
        return self.keys_file or self.secrets_folder.keys

    @property
    def secrets_folder(self) -> DataFolder:
        """The folder of the keys that all replicas share."""
        return DataFolder(self.replicas.secrets_dir or self.data_dir)

    @model_validator(mode="after")
    def _loopback_without_admin_key(self) -> Self:
        if self.admin_key is None and not is_loopback(self.host) and not self.keys_path.exists():
            raise ValueError(
                f"INSTAR_HOST={self.host} would let anyone on the network replace the model, because there is no"
                " admin key: set INSTAR_ADMIN_KEY, make keys with `instar key create`, or listen on"
                " 127.0.0.1"
            )
        for name in ("api_key", "admin_key"):
            key = getattr(self, name)
            if key is not None and not key.get_secret_value().strip():
                raise ValueError(f"INSTAR_{name.upper()} is empty: set a key, or unset the variable")
        return self


def is_loopback(host: str) -> bool:
    """Say whether the address can be reached from this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False

"""Every setting of the service, read from the environment with the prefix `INSTAR_`."""

import base64
import binascii
import ipaddress
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import Literal, Self, get_args

from pydantic import Field, HttpUrl, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

Level = Literal["debug", "info", "warning", "error"]
LEVELS: tuple[Level, ...] = get_args(Level)
EngineChoice = Literal["auto", "torch", "int8"]
LogFormat = Literal["auto", "text", "json"]
IndexKind = Literal["faiss", "exact"]
WEBHOOK_SECRET_PREFIX = "whsec_"  # noqa: S105  (how a secret of Standard Webhooks begins)


class Settings(BaseSettings):
    """The settings, their defaults and what they mean. Sizes are bytes, texts are characters."""

    model_config = SettingsConfigDict(env_prefix="INSTAR_", frozen=True)

    host: str = Field("127.0.0.1", description="address to listen on; only loopback without an `ADMIN_KEY`")
    port: int = Field(8080, ge=0, le=65535, description="port to listen on; 0 takes a free one")
    tls_certificate: Path | None = Field(
        None, description="file of the certificate and its chain, in PEM: it speaks HTTPS; none: HTTP"
    )
    tls_key: Path | None = Field(None, description="file of its private key; none: it is in `TLS_CERTIFICATE`")
    trusted_proxies: list[str] = Field(
        [],
        description="addresses and networks of proxies whose `X-Forwarded-For` and `-Proto` are believed, as JSON:"
        ' `["10.0.0.0/8"]`',
    )
    root_path: str = Field(
        "",
        pattern=r"^(/[^/?#\s]+)*$",
        description="path under which a proxy publishes the service and which it takes off, such as `/instar`",
    )
    data_dir: Path = Field(Path("data"), description="folder of the corpus, vectors and kept checkpoints")
    checkpoints_dir: Path = Field(Path("checkpoints"), description="folder in which checkpoints are looked up by name")
    model: str = Field("all-MiniLM-L6-v2", description="checkpoint of the very first start; later ones come by reload")
    api_key: SecretStr | None = Field(None, description="key that callers must send; none: open on loopback")
    admin_key: SecretStr | None = Field(None, description="key for `/admin`; none: open, and loopback only")
    open_data: bool = Field(
        False,
        description="the data routes need no key on any address; otherwise they do on all but loopback, and `ADMIN_KEY`"
        " opens them where there is no other",
    )
    keys_file: Path | None = Field(
        None,
        description="file of named keys, which `python -m service key` makes; none: `keys.json` in the data folder",
    )
    trusted_keys_file: Path | None = Field(
        None,
        description="file of public Ed25519 keys in PEM: only checkpoints that one of them has signed are loaded; none:"
        " signatures are not looked at",
    )
    aliases: dict[str, str] = Field(
        {},
        description='names that clients insist on, as JSON: `{"text-embedding-ada-002": "active"}`, or a checkpoint id',
    )
    openai_sides: bool = Field(
        False,
        description="`/v1/embeddings`: a bare string is a query and a list is documents, as DocsGPT sends them, and"
        " each gets the checkpoint's prompt for it",
    )
    token_ids: bool = Field(
        False,
        description="callers may send token ids for texts, which have to be of the checkpoint's own tokenizer: those of"
        " another one give vectors of other words",
    )
    retain: int = Field(1, ge=0, description="former generations kept loaded for rollback and pinned clients")
    retain_hours: float = Field(
        0, ge=0, description="hours after which a former generation is let go; 0: only when later ones push it out"
    )
    webhook_url: HttpUrl | None = Field(
        None, description="address that is told of every new active checkpoint, see [clients](docs/clients.md)"
    )
    webhook_secret: SecretStr | None = Field(
        None, description="signs what it is told: `whsec_` and 24 to 64 bytes in base64 (Standard Webhooks)"
    )
    keep_vectors: int = Field(2, ge=0, description="released generations whose vectors stay on disk for a cheap return")
    sample: bool = Field(
        False, description="at start, index the sample corpus into an empty corpus and add a checkpoint to try"
    )
    allow_hub: bool = Field(
        False, description="let Hugging Face names download; otherwise only its local cache is read"
    )

    engine: EngineChoice = Field(
        "auto",
        description="`auto`: OpenVINO on CPUs and bf16 on GPUs where that gives torch's vectors, else torch in fp32;"
        " `torch`: always that; `int8`: quantised on the corpus, where that keeps a cosine of 0.99, else as `auto`",
    )
    trial_seconds: float = Field(
        900,
        gt=0,
        description="time that a checkpoint's trial may take: it is loaded, converted and computed in a process of its"
        " own before the service does so",
    )
    processors: int = Field(0, ge=0, description="processors to compute on; 0: all that this process may use")
    batch_tokens: int | None = Field(
        None,
        ge=1,
        description="most tokens in one interactive batch; more in a request is bulk; none: 1,024, and 8,192 on GPUs",
    )
    bulk_batch_tokens: int | None = Field(
        None,
        ge=1,
        description="most tokens in one bulk batch, for which a write waits during a reload; none: 512, and 32,768 on"
        " GPUs",
    )
    queue_seconds: float = Field(
        5, gt=0, description="time that what waits in a lane may take to encode before callers get 429"
    )
    queue_tokens: int = Field(262_144, ge=1, description="tokens that may wait in a lane before callers get 429")
    index_kind: IndexKind = Field(
        "faiss",
        description="`faiss`: for collections of any size; `exact`: always compares with every document, in NumPy, for"
        " small ones",
    )
    graph_from: int = Field(50_000, ge=1, description="documents of a collection from which HNSW replaces exact search")
    min_recall: float = Field(
        0.99, gt=0, le=1, description="recall@10 that an HNSW index is tuned to reach at its build"
    )
    max_judged_loss: float = Field(
        0.02,
        ge=0,
        le=1,
        description="what nDCG@10 on the judged queries may lose by a reload; one that loses more is refused",
    )

    max_body: int = Field(32 << 20, ge=1, description="largest JSON body, and largest line of NDJSON")
    max_inputs: int = Field(4096, ge=1, description="most texts or documents in one JSON request")
    max_text: int = Field(200_000, ge=1, description="longest single text")
    max_metadata: int = Field(65_536, ge=2, description="largest metadata of one document, as JSON")
    max_k: int = Field(1000, ge=1, description="largest `k` of a search, `offset` included")
    max_queries: int = Field(128, ge=1, description="most questions of one search")
    max_judgements: int = Field(20_000, ge=0, description="most judgements, which each reload evaluates")
    max_streams: int = Field(256, ge=1, description="most streams of events that are open at a time")
    max_checkpoint: int = Field(8 << 30, ge=1, description="largest checkpoint, unpacked")

    memory_reserve: int = Field(256 << 20, ge=0, description="memory that a reload must leave free")
    disk_reserve: int = Field(256 << 20, ge=0, description="disk that a reload must leave free")
    drain_seconds: int = Field(8, ge=1, description="time that requests in flight have to end after SIGTERM")
    log_level: Level = Field("info", description="debug, info, warning or error")
    log_texts: bool = Field(
        False, description="put the texts of searches, and the ids of what they found, into the log"
    )
    tracing: bool = Field(
        False,
        description="send traces by OTLP, as `OTEL_EXPORTER_OTLP_ENDPOINT` and its like say; needs"
        " `pip install 'instar[tracing]'`",
    )
    log_level_file: Path | None = Field(
        None, description="file of a level that goes before `LOG_LEVEL`, read at the start and on SIGHUP"
    )
    log_format: LogFormat = Field(
        "auto", description="`text`, `json`, or `auto`: text on a terminal and JSON elsewhere"
    )

    @field_validator("webhook_secret")
    @classmethod
    def _standard(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is not None:
            given = secret.get_secret_value()
            try:
                key = base64.b64decode(given.removeprefix(WEBHOOK_SECRET_PREFIX), validate=True)
            except binascii.Error:
                key = b""
            if not given.startswith(WEBHOOK_SECRET_PREFIX) or not 24 <= len(key) <= 64:
                raise ValueError("must be whsec_ and 24 to 64 bytes in base64: echo whsec_$(openssl rand -base64 32)")
        return secret

    @property
    def keys_path(self) -> Path:
        """The file of named keys, whether it is there or not."""
        return self.keys_file or self.data_dir / "keys.json"

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, proxies: list[str]) -> list[str]:
        for proxy in proxies:
            try:
                ipaddress.ip_network(proxy)
            except ValueError as error:
                raise ValueError(f"{error}: name addresses or networks, such as 10.0.0.0/8") from error
        return proxies

    @model_validator(mode="after")
    def _loopback_without_admin_key(self) -> Self:
        if self.admin_key is None and not self.keys_path.exists() and not is_loopback(self.host):
            raise ValueError(
                f"INSTAR_HOST={self.host} would let anyone on the network replace the model, because there is no"
                " admin key: set INSTAR_ADMIN_KEY, make keys with `python -m service key create`, or listen on"
                " 127.0.0.1"
            )
        for name in ("api_key", "admin_key"):
            key = getattr(self, name)
            if key is not None and not key.get_secret_value().strip():
                raise ValueError(f"INSTAR_{name.upper()} is empty: set a key, or unset the variable")
        return self


def unknown_names(environment: Iterable[str]) -> dict[str, str | None]:
    """Names of variables that look like settings and are none, each with the setting that may be meant."""
    prefix = str(Settings.model_config["env_prefix"])
    known = [prefix + name.upper() for name in Settings.model_fields]
    # Settings are looked up whatever their case.
    names = sorted(name.upper() for name in environment if name.upper().startswith(prefix))
    return {name: next(iter(get_close_matches(name, known, 1)), None) for name in names if name not in known}


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches that address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False

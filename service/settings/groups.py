"""The settings that few people change, in groups. Each group is one object, which a part can be handed as a whole."""

import base64
import binascii
import ipaddress
from pathlib import Path
from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, HttpUrl, SecretStr, field_validator

Level = Literal["debug", "info", "warning", "error"]
LEVELS: tuple[Level, ...] = get_args(Level)
LogFormat = Literal["auto", "text", "json"]
WEBHOOK_SECRET_PREFIX = "whsec_"  # noqa: S105  (how a secret of Standard Webhooks begins)


class Group(BaseModel):
    """Settings that belong together. The first line of a group's docstring is its text in `docs/settings.md`."""

    model_config = ConfigDict(frozen=True)


class Tls(Group):
    """The certificate, read again on SIGHUP. Without one the service speaks HTTP."""

    certificate: Path | None = Field(
        None, description="file of the certificate and its chain, in PEM: it speaks HTTPS; none: HTTP"
    )
    key: Path | None = Field(None, description="file of its private key; none: it is in `TLS__CERTIFICATE`")


class Proxy(Group):
    """The reverse proxy that stands before the service."""

    trusted: list[str] = Field(
        [],
        description="addresses and networks of proxies whose `X-Forwarded-For` and `-Proto` are believed, as JSON:"
        ' `["10.0.0.0/8"]`',
    )
    path: str = Field(
        "",
        pattern=r"^(/[^/?#\s]+)*$",
        description="path under which a proxy publishes the service and which it takes off, such as `/instar`",
    )

    @field_validator("trusted")
    @classmethod
    def _networks(cls, proxies: list[str]) -> list[str]:
        for proxy in proxies:
            try:
                ipaddress.ip_network(proxy)
            except ValueError as error:
                raise ValueError(f"{error}: name addresses or networks, such as 10.0.0.0/8") from error
        return proxies


class Clients(Group):
    """How some clients have to be understood."""

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


class Retention(Group):
    """How long former generations stay, besides how many of them are loaded (`RETAIN`)."""

    hours: float = Field(
        0, ge=0, description="hours after which a former generation is let go; 0: only when later ones push it out"
    )
    vectors: int = Field(2, ge=0, description="released generations whose vectors stay on disk for a cheap return")


class Webhook(Group):
    """Who is told of a new model, see [clients](clients.md#being-told-of-a-new-model)."""

    url: HttpUrl | None = Field(None, description="address that is told of every new active checkpoint")
    secret: SecretStr | None = Field(
        None, description="signs what it is told: `whsec_` and 24 to 64 bytes in base64 (Standard Webhooks)"
    )

    @field_validator("secret")
    @classmethod
    def _standard(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is not None:
            text = secret.get_secret_value()
            try:
                key = base64.b64decode(text.removeprefix(WEBHOOK_SECRET_PREFIX), validate=True)
            except binascii.Error:
                key = b""
            if not text.startswith(WEBHOOK_SECRET_PREFIX) or not 24 <= len(key) <= 64:
                raise ValueError("must be whsec_ and 24 to 64 bytes in base64: echo whsec_$(openssl rand -base64 32)")
        return secret


class Compute(Group):
    """The processors, the batches and the queues before them, see [performance](performance.md)."""

    cores: int = Field(0, ge=0, description="processors to compute on; 0: all that this process may use")
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
    trial_seconds: float = Field(
        900,
        gt=0,
        description="time that a checkpoint's trial may take: it is loaded, converted and computed in a process of its"
        " own before the service does so",
    )


IndexKind = Literal["faiss", "exact"]


class IndexSettings(Group):
    """How vectors are searched, when a collection gets an HNSW index, and how good that has to be."""

    kind: IndexKind = Field(
        "faiss",
        description="`faiss`: for collections of any size; `exact`: always compares with every document, in NumPy, for"
        " small ones",
    )
    hnsw_from: int = Field(50_000, ge=1, description="documents of a collection from which HNSW replaces exact search")
    min_recall: float = Field(
        0.99, gt=0, le=1, description="recall@10 that an HNSW index is tuned to reach at its build"
    )


class Gate(Group):
    """When a reload is refused, see [operating](operating.md#replace-the-model-with-care)."""

    max_loss: float = Field(
        0.02,
        ge=0,
        le=1,
        description="what nDCG@10 on the judged queries may lose by a reload; one that loses more is refused",
    )


class Limits(Group):
    """The most that a caller may send or ask for."""

    body: int = Field(32 << 20, ge=1, description="largest JSON body, and largest line of NDJSON")
    inputs: int = Field(4096, ge=1, description="most texts or documents in one JSON request")
    text: int = Field(200_000, ge=1, description="longest single text")
    metadata: int = Field(65_536, ge=2, description="largest metadata of one document, as JSON")
    k: int = Field(1000, ge=1, description="largest `k` of a search, `offset` included")
    queries: int = Field(128, ge=1, description="most questions of one search")
    judgements: int = Field(20_000, ge=0, description="most judgements, which each reload evaluates")
    streams: int = Field(256, ge=1, description="most streams of events that are open at a time")
    checkpoint: int = Field(8 << 30, ge=1, description="largest checkpoint, unpacked")


class Headroom(Group):
    """Memory and disk that a reload must leave free, or it is refused."""

    memory: int = Field(256 << 20, ge=0, description="memory that a reload must leave free")
    disk: int = Field(256 << 20, ge=0, description="disk that a reload must leave free")


class Log(Group):
    """Content and form of the log, see [operating](operating.md#read-the-log)."""

    level: Level = Field("info", description="debug, info, warning or error")
    format: LogFormat = Field("auto", description="`text`, `json`, or `auto`: text on a terminal and JSON elsewhere")
    texts: bool = Field(False, description="put the texts of searches, and the ids of what they found, into the log")
    level_file: Path | None = Field(
        None, description="file of a level that goes before `LOG__LEVEL`, read at the start and on SIGHUP"
    )

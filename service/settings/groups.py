"""The settings that few people change, in groups. Each group is one object, which a part can be handed as a whole."""

import base64
import binascii
import ipaddress
import re
from pathlib import Path
from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, HttpUrl, SecretStr, field_validator

Keep = Literal["off", "feedback", "all"]
Level = Literal["debug", "info", "warning", "error"]
LEVELS: tuple[Level, ...] = get_args(Level)
LogFormat = Literal["auto", "text", "json"]
WEBHOOK_SECRET_PREFIX = "whsec_"  # noqa: S105  (how a secret of Standard Webhooks begins)


class Group(BaseModel):
    """Settings that belong together. A group's docstring is its text in `docs/settings.md`."""

    model_config = ConfigDict(frozen=True)


class Tls(Group):
    """The certificate, read again on SIGHUP. Without one the service speaks HTTP."""

    certificate: Path | None = Field(
        None, description="file of the certificate and its chain, in PEM; none: the service speaks HTTP"
    )
    key: Path | None = Field(
        None, description="file of the certificate's private key; none: the key is in `TLS__CERTIFICATE`"
    )


class Proxy(Group):
    """The reverse proxy in front of the service."""

    trusted: list[str] = Field(
        [],
        description="addresses and networks of proxies whose `X-Forwarded-For` and `-Proto` are believed, as JSON:"
        ' `["10.0.0.0/8"]`',
    )
    path: str = Field(
        "",
        pattern=r"^(/[^/?#\s]+)*$",
        description="path under which a proxy publishes the service, and which it removes, such as `/instar`",
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
    """How the service understands some clients."""

    openai_sides: bool = Field(
        False,
        description="`/v1/embeddings` takes a bare string for a query and a list for documents, as DocsGPT sends them,"
        " and applies the checkpoint's prompt of that side",
    )
    token_ids: bool = Field(
        False,
        description="callers may send token ids in place of texts; they must come from the checkpoint's own tokenizer,"
        " because ids of another one give vectors of other words",
    )


class CollectionWindows(Group):
    """How long documents of one collection are cut."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    overlap: int = Field(32, ge=0, le=4096)
    most: int = Field(64, ge=1, le=4096)


class Windows(Group):
    """Windows of documents that are longer than the model reads. After a change, the next start embeds them again."""

    overlap: int = Field(32, ge=0, le=4096, description="tokens that a window shares with the one before it, at most")
    most: int = Field(
        64, ge=1, le=4096, description="windows of a document at most; what comes after them is found by keyword alone"
    )
    collections: dict[str, CollectionWindows] = Field(
        {},
        description='other numbers for some collections, as JSON: `{"books": {"overlap": 64, "most": 500}}`; `most` 1'
        " truncates there",
    )


class Retention(Group):
    """How long former generations stay. `RETAIN` says how many of them stay loaded."""

    hours: float = Field(
        0, ge=0, description="hours after which a former generation is released; 0: only when later ones take its place"
    )
    vectors: int = Field(
        2, ge=0, description="released generations whose vectors stay on disk, so that a return is cheap"
    )


class ReplicaSettings(Group):
    """Several processes on one `STORE`, see [scaling](scaling.md)."""

    db_schema: str = Field(
        "instar", min_length=1, max_length=63, description="schema in the database; each Instar on a server has its own"
    )
    connections: int = Field(8, ge=2, description="connections to the database that a process keeps at most")
    name: str = Field("", description="name of this replica for people; none: the name of its host")
    address: str = Field("", description="address of this replica for people, such as `http://10.0.0.7:8080`")
    secrets_dir: Path | None = Field(
        None,
        description="folder that all replicas share, with the keys of their hashes and cookies and of their callers:"
        " `learning.key`, `console.key`, `keys.json`; none: `DATA_DIR`, to which somebody must copy them",
    )
    lag_seconds: float = Field(
        3, gt=0, description="seconds without sight of the others' changes after which a replica is not ready"
    )
    stale_seconds: float = Field(
        0,
        ge=0,
        description="seconds for which searches are answered from memory if the database cannot be reached; a switch of"
        " the model in that time is not noticed",
    )
    prepare_seconds: float = Field(
        900, gt=0, description="seconds for which a reload waits for other replicas to load the new model"
    )


class Webhook(Group):
    """The receiver that is told of a new model, see [clients](clients.md#being-told-of-a-new-model)."""

    url: HttpUrl | None = Field(None, description="address to which each change of the active checkpoint is sent")
    secret: SecretStr | None = Field(
        None, description="key that signs what is sent: `whsec_` and 24 to 64 bytes in base64 (Standard Webhooks)"
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
                raise ValueError(
                    "must be whsec_ and 24 to 64 bytes in base64: make one with echo whsec_$(openssl rand -base64 32)"
                )
        return secret


class Compute(Group):
    """The processors, the batches and the queues before them, see [performance](performance.md)."""

    cores: int = Field(0, ge=0, description="processors to compute on; 0: all that this process may use")
    batch_tokens: int | None = Field(
        None,
        ge=1,
        description="most tokens in one interactive batch; a request with more is bulk; none: 1,024, and 8,192 on GPUs",
    )
    bulk_batch_tokens: int | None = Field(
        None,
        ge=1,
        description="most tokens in one bulk batch; a write waits for one such batch during a reload; none: 512, and"
        " 32,768 on GPUs",
    )
    queue_seconds: float = Field(
        5, gt=0, description="seconds that the texts in a lane may take to encode before callers get 429"
    )
    trial_seconds: float = Field(
        900,
        gt=0,
        description="seconds that a checkpoint's trial may take, in which a process of its own loads, converts and"
        " computes it before the service itself does",
    )


IndexKind = Literal["faiss", "exact", "pgvector"]


class IndexSettings(Group):
    """How vectors are searched, when a collection gets an HNSW index, and how good that index must be."""

    kind: IndexKind = Field(
        "faiss",
        description="`faiss`: for collections of any size; `exact`: for small ones, compares with every document, in"
        " NumPy; `pgvector`: in the database that `STORE` names, for what does not fit into the memory of a process",
    )
    hnsw_from: int = Field(
        50_000, ge=1, description="number of windows in a collection from which HNSW replaces exact search"
    )
    min_recall: float = Field(
        0.99, gt=0, le=1, description="recall@10 that an HNSW index is tuned to reach at its build"
    )


class Gate(Group):
    """The gate that refuses a reload, see [operating](operating.md#replace-the-model-with-care)."""

    max_loss: float = Field(
        0.02,
        ge=0,
        le=1,
        description="most nDCG@10 on the judged queries that a reload may lose; one that loses more, or less beyond"
        " doubt, is refused; 1: none is",
    )
    mode: Literal["dense", "hybrid"] = Field(
        "dense",
        description="mode of the searches by which models are judged, whatever `MODE` is; in `hybrid` words hide part"
        " of what a model has lost",
    )


class Searches(Group):
    """The log of searches, which learning from use begins with, see [learning](learning.md)."""

    keep: Keep = Field(
        "feedback",
        description="searches that are kept: `off`: none; `feedback`: all for 24 hours, and those that got feedback for"
        " longer; `all`: all for `SEARCHES__DAYS`, and those that got feedback for longer",
    )
    days: int = Field(30, ge=1, le=36_500, description="days for which `all` keeps searches")


class Feedback(Group):
    """Events that users send about results, see [learning](learning.md)."""

    origins: list[str] = Field(
        [],
        description="origins of web pages whose scripts may send feedback (CORS), as JSON:"
        ' `["https://docs.example.com"]`; none: no page may',
    )

    @field_validator("origins")
    @classmethod
    def _are_origins(cls, origins: list[str]) -> list[str]:
        for origin in origins:
            if not re.fullmatch(r"https?://[^/\s?#@*,]+", origin):
                raise ValueError(
                    f"{origin!r} is no origin: name the scheme and the host alone, https://docs.example.com"
                )
        return origins


class Limits(Group):
    """The most that a caller may send or ask for."""

    body: int = Field(32 << 20, ge=1, description="largest JSON body, and largest line of NDJSON")
    inputs: int = Field(4096, ge=1, description="most texts or documents in one JSON request")
    text: int = Field(200_000, ge=1, description="longest single text")
    metadata: int = Field(65_536, ge=2, description="largest metadata of one document, as JSON")
    k: int = Field(1000, ge=1, description="largest `k` of a search, `offset` included")
    queries: int = Field(128, ge=1, description="most questions of one search")
    events: int = Field(1000, ge=1, description="most events of one request with feedback")
    judgements: int = Field(
        20_000,
        ge=0,
        description="most judgements that are derived from events, and most of all others together",
    )
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
    texts: bool = Field(False, description="log the texts of searches and the ids of the documents that they found")
    level_file: Path | None = Field(
        None, description="file with a level that counts in place of `LOG__LEVEL`, read at the start and on SIGHUP"
    )

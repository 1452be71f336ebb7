"""Settings from the environment: read once at start, checked, and never looked up again.

Every field `x` of a settings model is read from `BATON_X`, or from the file that `BATON_X_FILE` names (for secrets).
A `BATON_` variable that nobody reads is an error that names the nearest one.
"""

import difflib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Literal, NamedTuple, TypeVar

import pydantic
from pydantic import Field, SecretStr

from shared.domain.errors import Misconfigured

SERVICES = ("ingest", "router", "sla_monitor", "delivery", "scoreboard")


class Retention(NamedTuple):
    """How many published events are retained at most, and for how long."""

    rows: int
    seconds: int


DEFAULT_RETENTION = Retention(rows=200_000, seconds=3 * 24 * 3600)


class SettingsModel(pydantic.BaseModel):
    """A group of settings. Values are checked and cannot change after start; secrets are `SecretStr`."""

    PREFIX: ClassVar[str] = "BATON_"

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Settings(SettingsModel):
    """What every service reads."""

    host: str = Field(
        "127.0.0.1", description="Address to listen on; anything but loopback asks for keys on pages too."
    )
    port: int = Field(8080, ge=0, le=65535, description="Port to listen on.")
    data: Path = Field(Path("data"), description="Folder for spool, embedded log, SQLite database and made-up keys.")
    agreement: Path = Field(Path("deploy/agreement.example.yaml"), description="The agreement file.")
    sources: Path | None = Field(None, description="File with the sources that may post to /v1/sources/.")
    admin_key: SecretStr | None = Field(
        None, description="A key that carries every scope; at least 16 characters, 8 of them different."
    )
    keys: Path | None = Field(None, description="File with the digests of further keys, made by './baton keys create'.")
    identity_key: SecretStr | None = Field(
        None, description="Secret from which lead ids are derived; the same for all ingest replicas, forever."
    )
    database_url: SecretStr | None = Field(
        None, description="postgresql+asyncpg:// URL; without it, SQLite in the data folder."
    )
    kafka: str | None = Field(
        None, description="Kafka bootstrap servers; without it, the embedded log in the data folder."
    )
    kafka_username: str | None = Field(None, description="User to log in to Kafka as (SASL); none without it.")
    kafka_password: SecretStr | None = Field(None, description="That user's password.")
    kafka_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        "PLAIN", description="How the user logs in: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512."
    )
    kafka_tls: bool = Field(False, description="Whether connections to Kafka are encrypted (TLS).")
    kafka_ca: Path | None = Field(
        None, description="File with the certificates that Kafka's is checked against; without it, the system's."
    )
    kafka_replication: int | None = Field(
        None, ge=1, description="Copies of each topic, instead of deploy/kafka/topics.yaml's."
    )
    kafka_session_s: float = Field(
        10.0,
        ge=1,
        le=300,
        description="Seconds without a word from a process after which its partitions are given away; after a crash "
        "they wait as long.",
    )
    public_url: str | None = Field(
        None, description="The address that browsers and CRMs use, when a proxy stands before us."
    )
    pages_login: bool = Field(
        False,
        description="Whether pages ask for a key on this machine too. Set it, or BATON_PUBLIC_URL, when a proxy is in "
        "front.",
    )
    allow_loopback_endpoints: bool = Field(
        False, description="Whether webhooks may go to this machine; on in 'make run'."
    )
    inbox_days: int = Field(
        35,
        ge=32,
        description="Days for which ids of handled events are kept, so that a repeat has no effect: longer than any "
        "topic keeps its records, and than ingest knows a repeated request.",
    )
    resend_rows: int = Field(
        DEFAULT_RETENTION.rows,
        ge=0,
        description="Published events that ingest (in each spool) and each other service (in its outbox) retain, to "
        "send them again should the log lose them.",
    )
    resend_s: int = Field(
        DEFAULT_RETENTION.seconds, ge=0, description="Seconds for which published events are retained at most."
    )
    log_level: str = Field("INFO", description="DEBUG, INFO, WARNING or ERROR.")

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach us."""
        return self.host in ("127.0.0.1", "::1", "localhost")

    @property
    def pages_open(self) -> bool:
        """Whether pages open without a login to people on this machine."""
        return self.loopback and self.public_url is None and not self.pages_login

    @property
    def retention(self) -> Retention:
        """How much of what is published can be sent again."""
        return Retention(self.resend_rows, self.resend_s)


Model = TypeVar("Model", bound=SettingsModel)

# What Kubernetes and container links set for a Service or container whose name begins with "baton":
# https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
_LINK_NAME = re.compile(r"BATON(_\w+)?_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)")
_LINK_VALUE = re.compile(r"(tcp|udp|sctp)://\S+:\d+")


def service_links(environ: Mapping[str, str]) -> list[str]:
    """The `BATON_` variables that Kubernetes set for Services called `baton` or `baton-...`; none is a setting."""
    return [name for name, value in environ.items() if _is_link(name, value)]


def _is_link(name: str, value: str) -> bool:
    if not name.startswith("BATON_"):
        return False
    return _LINK_NAME.fullmatch(name) is not None or (
        name.endswith("_PORT") and _LINK_VALUE.fullmatch(value) is not None
    )


def read(model: type[Model], environ: Mapping[str, str]) -> Model:
    """The model filled from `environ`. Raises `Misconfigured` that names the variable and what it should be."""
    links = service_links(environ)
    environ = {name: value for name, value in environ.items() if name not in links}
    values: dict[str, str] = {}
    for field in model.model_fields:
        name = model.PREFIX + field.upper()
        text = _from_file(environ[f"{name}_FILE"], f"{name}_FILE") if f"{name}_FILE" in environ else environ.get(name)
        if text:
            values[field] = text
    try:
        return model.model_validate(values)
    except pydantic.ValidationError as wrong:
        first = wrong.errors()[0]
        name = model.PREFIX + str(first["loc"][0]).upper()
        raise Misconfigured(f"{name}: {first['msg']}. Correct it in the environment and start again.") from None


def refuse_unread(environ: Mapping[str, str]) -> None:
    """Raise `Misconfigured` for a `BATON_` variable that no settings model of this process reads.

    A variable of a service that does not run in this process is left to that service.
    """
    models = SettingsModel.__subclasses__()
    known = {model.PREFIX + field.upper() for model in models for field in model.model_fields}
    here = {model.PREFIX for model in models}
    elsewhere = tuple(p for s in SERVICES if (p := f"BATON_{s.upper()}_") not in here)
    for name in environ:
        bare = name.removesuffix("_FILE")
        if not name.startswith("BATON_") or bare in known or name in known or name.startswith(elsewhere):
            continue
        if _is_link(name, environ[name]):
            continue
        near = difflib.get_close_matches(bare, known, n=1, cutoff=0)
        raise Misconfigured(
            f"{name} is set, but nothing reads it. Did you mean {near[0]}? Unset it or correct its name."
        )


def _from_file(path: str, name: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError as wrong:
        raise Misconfigured(f"{name} names {path}, which can't be read ({wrong.strerror}).") from wrong

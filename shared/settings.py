"""Settings from the environment, read and validated once at startup.

Every field `x` of a settings model is read from `BATON_X`, or from the file that `BATON_X_FILE` names (for secrets).
A `BATON_` variable that nothing reads is an error that names the nearest setting.
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
    """The maximum number of published events to retain, and for how long."""

    rows: int
    seconds: int


DEFAULT_RETENTION = Retention(rows=200_000, seconds=3 * 24 * 3600)


class SettingsModel(pydantic.BaseModel):
    """A group of settings. Values are validated and immutable; secrets are `SecretStr`."""

    PREFIX: ClassVar[str] = "BATON_"

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Settings(SettingsModel):
    """Settings of every service."""

    host: str = Field(
        "127.0.0.1", description="Address to listen on. On any other than a loopback address, pages require a key too."
    )
    port: int = Field(8080, ge=0, le=65535, description="Port to listen on.")
    data: Path = Field(
        Path("data"), description="Folder for the spool, embedded log, SQLite database and generated keys."
    )
    agreement: Path = Field(Path("deploy/agreement.example.yaml"), description="The agreement file.")
    sources: Path | None = Field(None, description="File that lists the sources that may post to /v1/sources/.")
    admin_key: SecretStr | None = Field(
        None, description="A key with every scope; at least 16 characters, 8 of them different."
    )
    keys: Path | None = Field(
        None, description="File with the digests of additional keys, created by './baton keys create'."
    )
    identity_key: SecretStr | None = Field(
        None,
        description="Secret from which lead ids are computed. The same for all ingest replicas, forever.",
    )
    database_url: SecretStr | None = Field(
        None, description="postgresql+asyncpg:// URL. If unset, SQLite in the data folder."
    )
    kafka: str | None = Field(
        None, description="Kafka bootstrap servers. If unset, the embedded log in the data folder."
    )
    kafka_username: str | None = Field(None, description="User for the Kafka login (SASL). If unset, no login.")
    kafka_password: SecretStr | None = Field(None, description="Password of that user.")
    kafka_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        "PLAIN", description="SASL mechanism of the Kafka login."
    )
    kafka_tls: bool = Field(False, description="Whether to encrypt connections to Kafka (TLS).")
    kafka_ca: Path | None = Field(None, description="File with the CA certificates for Kafka. If unset, the system's.")
    kafka_replication: int | None = Field(
        None, ge=1, description="Replication factor of the topics. If unset, as in deploy/kafka/topics.yaml."
    )
    kafka_session_s: float = Field(
        10.0,
        ge=1,
        le=300,
        description="Kafka session timeout in seconds. After a crash, the partitions of a process are reassigned after "
        "this time.",
    )
    public_url: str | None = Field(
        None, description="The address that browsers and CRMs use if there is a proxy in front."
    )
    pages_login: bool = Field(
        False,
        description="Whether pages require a key on this machine too. Set it, or BATON_PUBLIC_URL, if there is a proxy "
        "in front.",
    )
    allow_loopback_endpoints: bool = Field(
        False, description="Whether webhooks may go to this machine; true in 'make run'."
    )
    inbox_days: int = Field(
        35,
        ge=32,
        description="Days to keep the ids of handled events, so that a duplicate has no effect. Longer than any topic "
        "retains records and than ingest recognizes duplicates.",
    )
    resend_rows: int = Field(
        DEFAULT_RETENTION.rows,
        ge=0,
        description="Number of published events that ingest (in each spool) and each other service (in its outbox) "
        "retain, to send them again if the log loses them.",
    )
    resend_s: int = Field(
        DEFAULT_RETENTION.seconds, ge=0, description="Maximum time in seconds to retain published events."
    )
    log_level: str = Field("INFO", description="DEBUG, INFO, WARNING or ERROR.")

    @property
    def loopback(self) -> bool:
        """Whether only this machine can connect."""
        return self.host in ("127.0.0.1", "::1", "localhost")

    @property
    def pages_open(self) -> bool:
        """Whether people on this machine can open pages without a login."""
        return self.loopback and self.public_url is None and not self.pages_login

    @property
    def retention(self) -> Retention:
        """How many published events to retain for sending again."""
        return Retention(self.resend_rows, self.resend_s)


Model = TypeVar("Model", bound=SettingsModel)

# Variables that Kubernetes and container links set for a Service or container whose name starts with "baton":
# https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
_LINK_NAME = re.compile(r"BATON(_\w+)?_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)")
_LINK_VALUE = re.compile(r"(tcp|udp|sctp)://\S+:\d+")


def service_links(environ: Mapping[str, str]) -> list[str]:
    """The `BATON_` variables that Kubernetes sets for Services called `baton` or `baton-...`; none is a setting."""
    return [name for name, value in environ.items() if _is_link(name, value)]


def _is_link(name: str, value: str) -> bool:
    if not name.startswith("BATON_"):
        return False
    return _LINK_NAME.fullmatch(name) is not None or (
        name.endswith("_PORT") and _LINK_VALUE.fullmatch(value) is not None
    )


def read(model: type[Model], environ: Mapping[str, str]) -> Model:
    """The model with values from `environ`. Raises `Misconfigured` with the variable and what is wrong with it."""
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

    Variables of a service that does not run in this process are not checked.
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

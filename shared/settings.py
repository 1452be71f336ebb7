"""Settings from the environment: read once at start, checked, and never looked up again.

Every field `x` of a settings model is read from `BATON_X`, or from the file that `BATON_X_FILE` names (for secrets).
A `BATON_` variable that nobody reads is an error that names the nearest one.
"""

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, TypeVar

import pydantic
from pydantic import Field, SecretStr

from shared.domain.errors import Misconfigured

SERVICES = ("ingest", "router", "sla_monitor", "delivery", "scoreboard")


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
    admin_key: SecretStr | None = Field(None, description="A key that carries every scope.")
    keys: Path | None = Field(None, description="File with the digests of further keys, made by './baton keys create'.")
    identity_key: SecretStr | None = Field(
        None, description="Secret from which lead ids are derived; the same for all ingest replicas, for ever."
    )
    database_url: SecretStr | None = Field(
        None, description="postgresql+asyncpg:// URL; without it, SQLite in the data folder."
    )
    kafka: str | None = Field(
        None, description="Kafka bootstrap servers; without it, the embedded log in the data folder."
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
    allow_loopback_endpoints: bool = Field(
        False, description="Whether webhooks may go to this machine; on in 'make run'."
    )
    log_level: str = Field("INFO", description="DEBUG, INFO, WARNING or ERROR.")

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach us."""
        return self.host in ("127.0.0.1", "::1", "localhost")


Model = TypeVar("Model", bound=SettingsModel)


def read(model: type[Model], environ: Mapping[str, str]) -> Model:
    """The model filled from `environ`. Raises `Misconfigured` that names the variable and what it should be."""
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
        near = difflib.get_close_matches(bare, known, n=1, cutoff=0)
        raise Misconfigured(
            f"{name} is set, but nothing reads it. Did you mean {near[0]}? Unset it or correct its name."
        )


def _from_file(path: str, name: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError as wrong:
        raise Misconfigured(f"{name} names {path}, which can't be read ({wrong.strerror}).") from wrong

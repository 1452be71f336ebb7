"""How to reach the cluster: its address, and what it asks of clients."""

from dataclasses import dataclass, field
from pathlib import Path
from ssl import SSLContext, SSLError, create_default_context
from typing import Any

from shared.domain.errors import Misconfigured
from shared.settings import Settings


@dataclass(frozen=True, slots=True)
class Access:
    """The cluster's address (`host:port`, several with commas) and, where it wants them, TLS, user and password.

    `protocol` and `mechanism` are in Kafka's words: PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL; PLAIN, SCRAM-SHA-256 or
    SCRAM-SHA-512. `client` is the name under which the broker's own logs know this process.
    """

    bootstrap: str
    client: str = "baton"
    protocol: str = "PLAINTEXT"
    tls: SSLContext | None = None
    mechanism: str = "PLAIN"
    user: str | None = None
    password: str | None = field(default=None, repr=False)

    @classmethod
    def of(cls, settings: Settings) -> "Access":
        """From the settings. Raises `Misconfigured` for an incomplete login or unreadable certificates."""
        if (settings.kafka_username is None) != (settings.kafka_password is None):
            raise Misconfigured("Set both BATON_KAFKA_USERNAME and BATON_KAFKA_PASSWORD (or its _FILE), or neither.")
        login = settings.kafka_username is not None
        return cls(
            settings.kafka or "",
            protocol=("SASL_" if login else "") + ("SSL" if settings.kafka_tls else "PLAINTEXT"),
            tls=_tls(settings.kafka_ca) if settings.kafka_tls else None,
            mechanism=settings.kafka_mechanism,
            user=settings.kafka_username,
            password=settings.kafka_password.get_secret_value() if settings.kafka_password is not None else None,
        )

    def arguments(self, *, request_timeout_s: float) -> dict[str, Any]:
        """What every aiokafka client is made with."""
        return {
            "bootstrap_servers": self.bootstrap,
            "client_id": self.client,
            "security_protocol": self.protocol,
            "ssl_context": self.tls,
            "sasl_mechanism": self.mechanism,
            "sasl_plain_username": self.user,
            "sasl_plain_password": self.password,
            "request_timeout_ms": int(request_timeout_s * 1000),
        }


def _tls(authorities: Path | None) -> SSLContext:
    try:
        return create_default_context(cafile=authorities)
    except (OSError, SSLError) as wrong:
        raise Misconfigured(f"BATON_KAFKA_CA names {authorities}, which contains no certificates: {wrong}.") from wrong

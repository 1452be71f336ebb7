"""How to reach the cluster: its address, and what it asks of clients."""

from dataclasses import dataclass, field
from ssl import SSLContext
from typing import Any


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

"""Settings of delivery."""

from pathlib import Path

from pydantic import Field, SecretStr

from shared.settings import SettingsModel


class DeliverySettings(SettingsModel):
    """Read from `BATON_DELIVERY_...`."""

    PREFIX = "BATON_DELIVERY_"

    per_endpoint: int = Field(4, ge=1, le=64, description="Maximum requests in flight to one subscription.")
    in_flight: int = Field(256, ge=1, le=4096, description="Maximum requests in flight in total.")
    keep_days: int = Field(30, ge=2, description="Days to keep events and their deliveries, and notices.")
    mail_server: SecretStr | None = Field(
        None,
        description="Where e-mails are handed in: smtps://HOST (TLS) or smtp://HOST (STARTTLS), with a port if it is "
        "not 465 or 587. If unset, no e-mails are sent.",
    )
    mail_from: str | None = Field(None, description="Sender address of e-mails. Required with a mail server.")
    mail_user: str | None = Field(None, description="User for the mail server. If unset, no login.")
    mail_password: SecretStr | None = Field(None, description="Password of that user.")
    mail_ca: Path | None = Field(
        None, description="File with the CA certificates for the mail server. If unset, the system's."
    )
    internal_hosts: str = Field(
        "",
        description="Hosts in a private network to which notices may go, separated by commas, such as an Alertmanager. "
        "All others must have public addresses. The mail server need not be among them.",
    )
    notice_interval_s: float = Field(
        60.0,
        ge=1,
        le=3600,
        description="Seconds between two messages of one kind to one recipient. What is due meanwhile goes into one "
        "message.",
    )
    heartbeat_url: SecretStr | None = Field(
        None,
        description="URL to call while all is well: the last audit of promises is clean and recent. A system that "
        "expects the calls notices when they stop. Its host may be in a private network.",
    )
    heartbeat_every_s: float = Field(60.0, ge=1, le=86400, description="Seconds between two of these calls.")
    heartbeat_recent_s: float = Field(
        900.0, ge=1, le=86400 * 7, description="Age in seconds up to which the last audit counts as recent."
    )

    @property
    def internal(self) -> frozenset[str]:
        """The hosts that may be in a private network."""
        return frozenset(filter(None, (host.strip() for host in self.internal_hosts.split(","))))

"""What an operator may set about the way in."""

from pydantic import Field

from shared.settings import SettingsModel


class IngestSettings(SettingsModel):
    """Read from `BATON_INGEST_...`."""

    PREFIX = "BATON_INGEST_"

    marker_s: float = Field(
        0.5,
        ge=0.05,
        le=1.0,
        description="Seconds between two words on completeness; breaches are told that much later.",
    )
    spool_rows: int = Field(
        2_000_000, ge=1, description="Most facts that wait while the log is away; past it senders get 503."
    )
    spool_bytes: int = Field(
        8 * 1024**3, ge=1024**2, description="Most bytes that wait while the log is away; past it senders get 503."
    )
    free_bytes: int = Field(256 * 1024**2, ge=0, description="With less left on the disk, ingest is not ready.")

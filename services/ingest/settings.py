"""Settings of ingest."""

from pydantic import Field

from shared.settings import SettingsModel


class IngestSettings(SettingsModel):
    """Read from `BATON_INGEST_...`."""

    PREFIX = "BATON_INGEST_"

    marker_s: float = Field(
        0.5,
        ge=0.05,
        le=1.0,
        description="Watermark interval in seconds. Breach detection lags by the same amount.",
    )
    spool_rows: int = Field(
        2_000_000,
        ge=1,
        description="Maximum number of facts to spool while the log is down. Beyond it, senders get 503.",
    )
    spool_bytes: int = Field(
        8 * 1024**3,
        ge=1024**2,
        description="Maximum number of bytes to spool while the log is down. Beyond it, senders get 503.",
    )
    free_bytes: int = Field(
        256 * 1024**2, ge=0, description="Minimum free disk space in bytes. Below it, ingest is not ready."
    )
    monitor_url: str | None = Field(
        None,
        pattern="^https?://",
        description="Where ingest asks the monitor how many attempts are recorded on a lead. If unset, reject reasons "
        "with `only_after` are not checked. The administrator's key goes there: name an address inside your network.",
    )
    dated_back_s: int = Field(
        86_400,
        ge=60,
        le=30 * 86_400,
        description="How many seconds before it is accepted a call, e-mail or meeting may have happened, by the "
        "`occurred_at` of a key with the scope `activities:date`. Anything earlier is refused with 422.",
    )

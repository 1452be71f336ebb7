"""What an operator may set about the monitor."""

from pydantic import Field

from shared.settings import SettingsModel


class MonitorSettings(SettingsModel):
    """Read from `BATON_SLA_MONITOR_...`."""

    PREFIX = "BATON_SLA_MONITOR_"

    tolerance_s: float = Field(
        2.0,
        ge=0,
        le=60,
        description="Seconds before the start and after the deadline in which a follow-up counts: clocks differ.",
    )
    keep_days: int | None = Field(
        None,
        ge=90,
        description="Days for which facts and ended windows, escalations and holds are kept; left out, for good.",
    )

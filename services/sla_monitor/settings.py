"""Settings of the monitor."""

from pydantic import Field

from shared.settings import SettingsModel


class MonitorSettings(SettingsModel):
    """Read from `BATON_SLA_MONITOR_...`."""

    PREFIX = "BATON_SLA_MONITOR_"

    tolerance_s: float = Field(
        2.0,
        ge=0,
        le=60,
        description="Tolerance for clock differences in seconds: a follow-up this long before the start or after the "
        "deadline counts.",
    )
    keep_days: int | None = Field(
        None,
        ge=90,
        description="Days to keep facts and ended windows, escalations and holds. If unset, forever.",
    )

"""Settings of the scoreboard."""

from zoneinfo import available_timezones

import pydantic

from shared.settings import SettingsModel


class ScoreboardSettings(SettingsModel):
    """Read from `BATON_SCOREBOARD_...`."""

    PREFIX = "BATON_SCOREBOARD_"

    timezone: str | None = pydantic.Field(
        default=None,
        description="Time zone of the daily figures, an IANA name such as Europe/Brussels. If unset, that of the "
        "agreement in force.",
    )

    keep_days: int | None = pydantic.Field(
        default=None,
        ge=90,
        description="Days to keep the timelines of leads that have ended. If unset, forever. Figures are kept.",
    )

    audit_every_s: float = pydantic.Field(
        default=300.0, ge=1, le=86400, description="Seconds between two audits of the promises of the last hours."
    )

    audit_hours: float = pydantic.Field(
        default=24.0, gt=0, le=24 * 366, description="How many hours back these audits look."
    )

    orphans: int = pydantic.Field(
        default=10_000,
        ge=0,
        le=10_000_000,
        description="How many unknown lead ids activities may wait for at a time. Beyond that, those that have waited "
        "longest are set aside as expired. Their activities still count if an inquiry comes.",
    )

    orphan_days: float = pydantic.Field(
        default=30.0,
        gt=0,
        le=3660,
        description="After how many days an activity for an unknown lead is set aside as expired. It still counts if "
        "an inquiry comes.",
    )

    @pydantic.field_validator("timezone")
    @classmethod
    def _known(cls, name: str | None) -> str | None:
        if name is not None and name not in available_timezones():
            raise ValueError(f"{name} is not a time zone; use an IANA name such as Europe/Brussels")
        return name

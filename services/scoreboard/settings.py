"""What only the scoreboard reads from the environment: `BATON_SCOREBOARD_...`."""

from zoneinfo import available_timezones

import pydantic

from shared.settings import SettingsModel


class ScoreboardSettings(SettingsModel):
    """How this scoreboard differs from what the agreement says."""

    PREFIX = "BATON_SCOREBOARD_"

    timezone: str | None = pydantic.Field(
        default=None,
        description="Where a day begins, as an IANA name such as Europe/Brussels; left out, the agreement's zone.",
    )

    keep_days: int | None = pydantic.Field(
        default=None,
        ge=90,
        description="Days for which the stories of leads that have ended are kept; left out, for good. Numbers stay.",
    )

    @pydantic.field_validator("timezone")
    @classmethod
    def _known(cls, name: str | None) -> str | None:
        if name is not None and name not in available_timezones():
            raise ValueError(f"{name} is no time zone; give an IANA name such as Europe/Brussels")
        return name

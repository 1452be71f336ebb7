"""Settings of the router."""

from pydantic import Field

from shared.settings import SettingsModel


class RouterSettings(SettingsModel):
    """Read from `BATON_ROUTER_...`."""

    PREFIX = "BATON_ROUTER_"

    keep_days: int | None = Field(
        None,
        ge=90,
        description="Days to keep the router's record, the proofs of leads that have ended, and activities whose lead "
        "never came. If unset, forever. "
        "Simulations and proofs reach no further back.",
    )

"""Settings of the router."""

from pydantic import Field

from shared.settings import SettingsModel


class RouterSettings(SettingsModel):
    """Read from `BATON_ROUTER_...`."""

    PREFIX = "BATON_ROUTER_"

    keep_days: int | None = Field(
        None,
        ge=90,
        description="Days to keep the router's record, and the proofs of leads that have ended. If unset, forever. "
        "Simulations and proofs reach no further back.",
    )

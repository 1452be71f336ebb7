"""What can be set about the router."""

from pydantic import Field

from shared.settings import SettingsModel


class RouterSettings(SettingsModel):
    """Read from `BATON_ROUTER_...`."""

    PREFIX = "BATON_ROUTER_"

    keep_days: int | None = Field(
        None,
        ge=90,
        description="Days for which the record of what was heard and decided is kept, and the proofs of leads that "
        "have ended; left out, for good. Simulations and proofs reach no further back.",
    )

"""What can be set about deliveries."""

from pydantic import Field

from shared.settings import SettingsModel


class DeliverySettings(SettingsModel):
    """Read from `BATON_DELIVERY_...`."""

    PREFIX = "BATON_DELIVERY_"

    per_endpoint: int = Field(4, ge=1, le=64, description="Requests under way to one subscription.")
    in_flight: int = Field(256, ge=1, le=4096, description="Requests under way in all.")
    keep_days: int = Field(30, ge=2, description="Days that events and their deliveries are kept.")

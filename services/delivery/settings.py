"""Settings of delivery."""

from pydantic import Field

from shared.settings import SettingsModel


class DeliverySettings(SettingsModel):
    """Read from `BATON_DELIVERY_...`."""

    PREFIX = "BATON_DELIVERY_"

    per_endpoint: int = Field(4, ge=1, le=64, description="Maximum requests in flight to one subscription.")
    in_flight: int = Field(256, ge=1, le=4096, description="Maximum requests in flight in total.")
    keep_days: int = Field(30, ge=2, description="Days to keep events and their deliveries.")

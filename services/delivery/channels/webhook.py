"""Posts one event to one subscriber, signed by the Standard Webhooks scheme."""

from collections.abc import Sequence

from services.delivery.channels.http_client import HttpClient, Request
from services.delivery.domain.retry import EndpointResponse
from services.delivery.domain.signature import sign
from shared.ports import Clock

_STEADY = (
    (b"content-type", b"application/cloudevents+json"),
    (b"user-agent", b"Baton/1 (webhooks)"),
)


class Webhooks:
    """Signs and sends with `client`; the status decides."""

    def __init__(self, client: HttpClient, clock: Clock) -> None:
        self._client = client
        self._clock = clock

    async def post(self, url: str, secrets: Sequence[str], event_id: str, body: bytes) -> EndpointResponse:
        """Sign and send the event."""
        timestamp = int(self._clock.now().timestamp())
        headers = (
            *_STEADY,
            (b"webhook-id", event_id.encode()),
            (b"webhook-timestamp", str(timestamp).encode()),
            (b"webhook-signature", sign(secrets, event_id, timestamp, body).encode()),
        )
        return await self._client.post(Request(url, body, headers))

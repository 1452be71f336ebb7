"""Posts one event to one subscriber, signed by the Standard Webhooks scheme."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

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
        return await self._client.post(signed(Request(url, body, _STEADY), secrets, event_id, self._clock.now()))


def signed(request: Request, secrets: Sequence[str], message_id: str, at: datetime) -> Request:
    """The request with the headers of Standard Webhooks. Raises `Refused` for an invalid secret."""
    timestamp = int(at.timestamp())
    headers = (
        (b"webhook-id", message_id.encode()),
        (b"webhook-timestamp", str(timestamp).encode()),
        (b"webhook-signature", sign(secrets, message_id, timestamp, request.body).encode()),
    )
    return replace(request, headers=(*request.headers, *headers))

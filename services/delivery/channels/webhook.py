"""Posts one event to one endpoint and returns the outcome; never raises for what an endpoint does.

Uses httpcore instead of a client on top of it: it follows no redirects, reads no proxy settings, decodes no content,
accepts a network backend that checks addresses, and costs half as much per request. Each endpoint host has its own
pool, so none waits for another's connections.
"""

import asyncio
import ssl
from collections import OrderedDict
from collections.abc import Sequence

import httpcore

from services.delivery.channels.connecting import AddressRefused, Resolve, VettingBackend
from services.delivery.domain.endpoint import Endpoint, vet_url
from services.delivery.domain.retry import EndpointResponse, retry_after_s
from services.delivery.domain.signature import sign
from shared.domain.errors import Refused
from shared.ports import Clock

DEADLINE_S = 15.0
MAX_READ = 16 * 1024
READ_S = 2.0
CONNECT_SHARE = 0.45
MAX_POOLS = 256
IDLE_S = 15.0
_STEADY = (
    (b"content-type", b"application/cloudevents+json"),
    (b"accept-encoding", b"identity"),
    (b"user-agent", b"Baton/1 (webhooks)"),
)
_Pool = tuple[str, str, int]


class Webhooks:
    """Sends to all endpoints of this process. `allow_loopback` takes endpoints on this machine too."""

    def __init__(self, *, clock: Clock, resolve: Resolve, allow_loopback: bool, deadline_s: float = DEADLINE_S) -> None:
        self._clock = clock
        self._resolve = resolve
        self._allow_loopback = allow_loopback
        self._deadline_s = deadline_s
        self._tls = httpcore.default_ssl_context()
        self._pools: OrderedDict[_Pool, httpcore.AsyncConnectionPool] = OrderedDict()

    async def post(self, url: str, secrets: Sequence[str], event_id: str, body: bytes) -> EndpointResponse:
        """Sign and send the event, with a total deadline of 15 s.

        The status decides. At most 16 KB of the body are read, only so that the connection can be reused.
        """
        try:
            endpoint = vet_url(url, allow_loopback=self._allow_loopback)
        except Refused as refused:
            return EndpointResponse(None, refused.detail, forbidden=True)
        now = self._clock.now()
        timestamp = int(now.timestamp())
        headers = [
            (b"host", endpoint.authority.encode()),
            *_STEADY,
            (b"webhook-id", event_id.encode()),
            (b"webhook-timestamp", str(timestamp).encode()),
            (b"webhook-signature", sign(secrets, event_id, timestamp, body).encode()),
        ]
        try:
            async with asyncio.timeout(self._deadline_s):
                return await self._exchange(endpoint, headers, body)
        except TimeoutError:
            return EndpointResponse(None, f"no answer within {self._deadline_s:g} s")
        except AddressRefused as refused:
            return EndpointResponse(None, str(refused), forbidden=True)
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException, OSError) as error:
            return EndpointResponse(None, _problem(error))

    async def close(self) -> None:
        """Close all connections."""
        pools, self._pools = list(self._pools.values()), OrderedDict()
        for pool in pools:
            await pool.aclose()

    async def _exchange(self, endpoint: Endpoint, headers: list[tuple[bytes, bytes]], body: bytes) -> EndpointResponse:
        url = httpcore.URL(
            scheme=endpoint.scheme.encode(),
            host=endpoint.host.encode(),
            port=endpoint.port,
            target=endpoint.target.encode(),
        )
        # A deadline that strikes in a TLS handshake would leave its socket behind (httpcore closes it on errors only),
        # so connecting and the handshake each give up before their share of it is over.
        limits = {"timeout": {"connect": CONNECT_SHARE * self._deadline_s}}
        pool = await self._pool(endpoint)
        async with pool.stream("POST", url, headers=headers, content=body, extensions=limits) as response:
            asked = next(
                (value.decode("latin-1") for name, value in response.headers if name.lower() == b"retry-after"), None
            )
            await _drain(response)
            return EndpointResponse(response.status, retry_after_s=retry_after_s(asked, self._clock.now()))

    async def _pool(self, endpoint: Endpoint) -> httpcore.AsyncConnectionPool:
        key = (endpoint.scheme, endpoint.host, endpoint.port)
        pool = self._pools.get(key)
        if pool is None:
            pool = self._pools[key] = httpcore.AsyncConnectionPool(
                ssl_context=self._tls,
                max_connections=None,
                max_keepalive_connections=8,
                keepalive_expiry=IDLE_S,
                network_backend=VettingBackend(self._resolve, allow_loopback=endpoint.loopback),
            )
            await self._drop_idle_pools()
        self._pools.move_to_end(key)
        return pool

    async def _drop_idle_pools(self) -> None:
        for key in list(self._pools)[:-MAX_POOLS]:
            if all(connection.is_idle() for connection in self._pools[key].connections):
                await self._pools.pop(key).aclose()


async def _drain(response: httpcore.Response) -> None:
    """Read what follows the status, up to a size and a time; past either, the connection is closed with the rest."""
    size = 0
    try:
        async with asyncio.timeout(READ_S):
            async for chunk in response.aiter_stream():
                size += len(chunk)
                if size > MAX_READ:
                    return
    except Exception:  # the status has decided already: nothing about the body can change the outcome
        return


def _problem(error: Exception) -> str:
    if isinstance(error, httpcore.ConnectTimeout):
        return "the connection was not answered in time"
    if not isinstance(error, httpcore.ConnectError):
        return f"the connection broke ({type(error).__name__})"
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"the TLS certificate does not verify: {cause.verify_message}"
        if isinstance(cause, ssl.SSLError):
            return f"TLS failed ({cause.reason})"
        cause = cause.__cause__
    return "the host does not resolve" if "resolve" in str(error) else "the connection was refused or not answered"

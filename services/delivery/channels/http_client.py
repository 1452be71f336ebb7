"""Posts one request to one endpoint and returns the answer; never raises for what an endpoint does.

Uses httpcore instead of a client on top of it: it follows no redirects, reads no proxy settings, decodes no content,
accepts a network backend that checks addresses, and costs half as much per request. Each endpoint host has its own
pool, so none waits for another's connections.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass, field

import httpcore
import msgspec

from services.delivery.channels.connecting import AddressRefused, Resolve, VettingBackend, tls_problem
from services.delivery.domain.endpoint import Endpoint, vet_url
from services.delivery.domain.retry import EndpointResponse, retry_after_s
from shared.domain.errors import Refused
from shared.ports import Clock

DEADLINE_S = 15.0
MAX_READ = 16 * 1024
READ_S = 2.0
CONNECT_SHARE = 0.45
MAX_POOLS = 256
IDLE_S = 15.0
_NOTICE_HEADERS = ((b"content-type", b"application/json"), (b"user-agent", b"Baton/1 (notices)"))
Headers = tuple[tuple[bytes, bytes], ...]
_Pool = tuple[str, str, int]


@dataclass(frozen=True, slots=True)
class Request:
    """A POST. The URL, headers and body may contain secrets, so none is in the representation."""

    url: str = field(repr=False)
    body: bytes = field(repr=False)
    headers: Headers = field(repr=False)


def json_request(url: str, content: object, **headers: str) -> Request:
    """A POST of a notice as JSON. Header names are written with underscores."""
    given = tuple((name.replace("_", "-").encode(), value.encode()) for name, value in headers.items())
    return Request(url, msgspec.json.encode(content), (*_NOTICE_HEADERS, *given))


class HttpClient:
    """Sends to endpoints in the internet. `allow_loopback` takes those on this machine too, and `internal` are hosts
    that may be in a private network.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        resolve: Resolve,
        allow_loopback: bool,
        internal: Collection[str] = (),
        deadline_s: float = DEADLINE_S,
    ) -> None:
        self._clock = clock
        self._resolve = resolve
        self._allow_loopback = allow_loopback
        self._internal = internal
        self._deadline_s = deadline_s
        self._tls = httpcore.default_ssl_context()
        self._pools: OrderedDict[_Pool, httpcore.AsyncConnectionPool] = OrderedDict()

    async def post(self, request: Request) -> EndpointResponse:
        """Send the request, with a total deadline of 15 s.

        The answer has the status and at most the first 16 KB of the body, read for at most 2 s.
        """
        try:
            endpoint = vet_url(request.url, allow_loopback=self._allow_loopback, internal=self._internal)
        except Refused as refused:
            return EndpointResponse(None, refused.detail, forbidden=True)
        try:
            async with asyncio.timeout(self._deadline_s):
                return await self._exchange(endpoint, request)
        except TimeoutError:
            return EndpointResponse(None, f"no answer within {self._deadline_s:g} s", sent=True)
        except AddressRefused as refused:
            return EndpointResponse(None, str(refused), forbidden=True)
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException, OSError) as error:
            sent = not isinstance(error, httpcore.ConnectError | httpcore.ConnectTimeout)
            return EndpointResponse(None, _problem(error), sent=sent)

    async def close(self) -> None:
        """Close all connections."""
        pools, self._pools = list(self._pools.values()), OrderedDict()
        for pool in pools:
            await pool.aclose()

    async def _exchange(self, endpoint: Endpoint, request: Request) -> EndpointResponse:
        url = httpcore.URL(
            scheme=endpoint.scheme.encode(),
            host=endpoint.host.encode(),
            port=endpoint.port,
            target=endpoint.target.encode(),
        )
        headers = [(b"host", endpoint.authority.encode()), (b"accept-encoding", b"identity"), *request.headers]
        # A deadline that strikes in a TLS handshake would leave its socket behind (httpcore closes it on errors only),
        # so connecting and the handshake each give up before their share of it is over.
        limits = {"timeout": {"connect": CONNECT_SHARE * self._deadline_s}}
        pool = await self._pool(endpoint)
        async with pool.stream("POST", url, headers=headers, content=request.body, extensions=limits) as response:
            asked = next(
                (value.decode("latin-1") for name, value in response.headers if name.lower() == b"retry-after"), None
            )
            body, cut_off = await _start_of_body(response)
            wait_s = retry_after_s(asked, self._clock.now())
            return EndpointResponse(response.status, retry_after_s=wait_s, body=body, cut_off=cut_off)

    async def _pool(self, endpoint: Endpoint) -> httpcore.AsyncConnectionPool:
        key = (endpoint.scheme, endpoint.host, endpoint.port)
        pool = self._pools.get(key)
        if pool is None:
            pool = self._pools[key] = httpcore.AsyncConnectionPool(
                ssl_context=self._tls,
                max_connections=None,
                max_keepalive_connections=8,
                keepalive_expiry=IDLE_S,
                network_backend=VettingBackend(
                    self._resolve, allow_loopback=endpoint.loopback, allow_internal=endpoint.internal
                ),
            )
            await self._drop_idle_pools()
        self._pools.move_to_end(key)
        return pool

    async def _drop_idle_pools(self) -> None:
        for key in list(self._pools)[:-MAX_POOLS]:
            if all(connection.is_idle() for connection in self._pools[key].connections):
                await self._pools.pop(key).aclose()


async def _start_of_body(response: httpcore.Response) -> tuple[bytes, bool]:
    """What follows the status, up to a size and a time, and whether more may have followed; past either, the
    connection is closed with the rest.
    """
    body, ended = b"", False
    try:
        async with asyncio.timeout(READ_S):
            async for chunk in response.aiter_stream():
                body += chunk[: MAX_READ + 1 - len(body)]
                if len(body) > MAX_READ:
                    break
            else:
                ended = True
    except Exception:  # noqa: S110 (the status stands; a body that is cut off is judged as it is)
        pass
    return body[:MAX_READ], not ended


def _problem(error: Exception) -> str:
    if isinstance(error, httpcore.ConnectTimeout):
        return "the connection was not answered in time"
    if isinstance(error, httpcore.RemoteProtocolError):
        return (
            "the connection broke: what answers there does not speak HTTP, or closed it before its answer was complete"
        )
    if not isinstance(error, httpcore.ConnectError):
        return f"the connection broke ({type(error).__name__})"
    not_resolved = "resolve" in str(error)
    return tls_problem(error) or (
        "the host does not resolve" if not_resolved else "the connection was refused or not answered"
    )

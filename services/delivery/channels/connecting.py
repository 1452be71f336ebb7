"""Connects to public addresses only: resolves a host, checks all of its addresses, and connects to a checked one.

The check is part of connecting, so a name that resolves differently a moment later cannot bypass it. The Host header
and the TLS server name are those of the URL.
"""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable, Sequence

import httpcore

from services.delivery.domain.endpoint import why_not
from shared.domain.errors import Refused

FIRST_ADDRESS_S = 2.0
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""The addresses of a host, each as text. Raises `OSError` when it has none."""


class AddressRefused(Exception):
    """The host has an address that we don't send to."""


async def resolve(host: str, port: int) -> Sequence[str]:
    """Resolve with the machine's resolver. Raises `OSError` for a host without addresses or an invalid name."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError as error:  # from the IDNA codec, such as for a label of more than 63 characters
        raise OSError("the host is not a valid name") from error
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


async def vetted_addresses(
    host: str, port: int, resolving: Resolve, *, allow_loopback: bool, allow_internal: bool = False
) -> Sequence[str]:
    """All addresses of a host. Raises `AddressRefused` if any of them is not allowed: one bad address among good ones
    is how a guard is talked round. Raises `OSError` when the host has no address.
    """
    addresses = await resolving(host, port)
    if not addresses:
        raise OSError("the host has no address")
    for address in addresses:
        reason = why_not(address, allow_loopback=allow_loopback, allow_internal=allow_internal)
        if reason:
            raise AddressRefused(f"the host's address can't be used: {reason}")
    return addresses


async def vet_host(host: str, port: int, resolving: Resolve, *, allow_loopback: bool) -> None:
    """Raise `Refused`, pointing at `/url`, for a host with an address that is not allowed.

    A host that does not resolve passes: it may resolve later, and until then its deliveries fail with that reason.
    """
    try:
        async with asyncio.timeout(5):
            await vetted_addresses(host, port, resolving, allow_loopback=allow_loopback)
    except AddressRefused as refused:
        raise Refused(f"{str(refused).capitalize()}. Use a host that the internet can reach.", pointer="/url") from None
    except OSError:
        return


def tls_problem(error: BaseException) -> str | None:
    """What went wrong with TLS, if that caused `error`."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"the TLS certificate does not verify: {cause.verify_message}"
        if isinstance(cause, ssl.SSLError):
            return f"TLS failed ({cause.reason})"
        cause = cause.__cause__ or cause.__context__  # httpcore's pool raises again `from None`
    return None


class VettingBackend(httpcore.AsyncNetworkBackend):
    """Opens the sockets of one endpoint's connections."""

    def __init__(self, resolving: Resolve, *, allow_loopback: bool, allow_internal: bool = False) -> None:
        self._resolve = resolving
        self._allowed = {"allow_loopback": allow_loopback, "allow_internal": allow_internal}
        self._sockets = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the first vetted address that answers, within `timeout` seconds for all of it."""
        try:
            async with asyncio.timeout(timeout):
                addresses = await vetted_addresses(host, port, self._resolve, **self._allowed)
                return await self._connect(addresses, port, local_address, socket_options)
        except TimeoutError as late:
            raise httpcore.ConnectTimeout("no connection in time") from late
        except OSError as unknown:
            raise httpcore.ConnectError("the host does not resolve") from unknown

    async def _connect(
        self,
        addresses: Sequence[str],
        port: int,
        local_address: str | None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None,
    ) -> httpcore.AsyncNetworkStream:
        for address in addresses[:-1]:
            try:
                return await self._sockets.connect_tcp(address, port, FIRST_ADDRESS_S, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
        return await self._sockets.connect_tcp(addresses[-1], port, None, local_address, socket_options)

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)

"""Decides where webhooks and notices may go: to public addresses over TLS, never into the network that Baton runs in.

A URL is vetted when it is subscribed and again before each attempt; each address that its host resolves to is vetted
when a connection is made (https://owasp.org/Top10/2025/A01_2025-Broken_Access_Control, server-side request forgery).
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from urllib.parse import SplitResult, urlsplit

from shared.domain.errors import Refused

PORTS = (443, 8443)
LONGEST_URL = 2048
NOT_PUBLIC = "it is not a public address"
_POINTER = "/url"
_PLAIN = re.compile(r"[!-~]+")
_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_HOST = re.compile(rf"(?=.{{1,254}}\Z){_LABEL}(?:\.{_LABEL})*\.?")
_NUMBER = re.compile(r"\d+|0[xX][0-9A-Fa-f]*")
# What `is_global` calls global in some Python, and the transition ranges that hide an IPv4 address.
_REFUSED_4 = (IPv4Network("100.64.0.0/10"), IPv4Network("192.0.0.0/24"), IPv4Network("192.88.99.0/24"))
_PUBLIC_6 = IPv6Network("2000::/3")
# Where an organisation runs its own services. Never link-local, where clouds answer with credentials.
_INTERNAL_4 = tuple(map(IPv4Network, ("10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")))
_INTERNAL_6 = tuple(map(IPv6Network, ("::1/128", "fc00::/7")))
_REFUSED_6 = tuple(IPv6Network(net) for net in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"))


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A checked URL, parsed once so that every part of the code reads it the same way. `target` is path and query.

    `loopback` and `internal` say which addresses its host may have besides public ones.
    """

    scheme: str
    host: str
    port: int
    target: str
    loopback: bool
    internal: bool = False

    @property
    def authority(self) -> str:
        """What belongs into the `Host` header.

        >>> Endpoint("https", "::1", 8443, "/", True).authority
        '[::1]:8443'
        """
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.scheme == "https" else 80) else f"{host}:{self.port}"


def vet_url(url: str, *, allow_loopback: bool, internal: Collection[str] = ()) -> Endpoint:
    """The endpoint that `url` names. Raises `Refused`, pointing at `/url`, with what to write instead.

    With `allow_loopback`, hosts that name this machine are taken too, on any port and without TLS. So are the hosts in
    `internal`, which the operator named, also on a private network.
    """
    parts = _split(url)
    host = (parts.hostname or "").lower()
    loopback = _is_loopback(host)
    inside = host in internal
    if loopback and not (allow_loopback or inside):
        raise _refused(
            "The URL names this machine. Use a public host (or set BATON_ALLOW_LOOPBACK_ENDPOINTS for tests)."
        )
    if parts.scheme != "https" and not ((loopback or inside) and parts.scheme == "http"):
        raise _refused("Messages are sent over TLS only: start the URL with https://.")
    port = _port(parts)
    if not (loopback or inside) and port not in PORTS:
        raise _refused(
            f"Messages go to port {' or '.join(map(str, PORTS))} only. Leave the port out, or use one of them."
        )
    _vet_host(host, allow_loopback=loopback, allow_internal=inside)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Endpoint(parts.scheme, host, port, target, loopback, inside)


def why_not(address: str, *, allow_loopback: bool, allow_internal: bool = False) -> str | None:
    """Why nothing is sent to this IP address, or None when it is a public one, or one that is allowed.

    >>> why_not("93.184.215.14", allow_loopback=False) is None
    True
    >>> why_not("10.0.0.1", allow_loopback=False)
    'it is not a public address'
    """
    try:
        ip = ip_address(address)
    except ValueError:
        return "it is no IP address"
    if allow_loopback and ip.is_loopback:
        return None
    internal = _INTERNAL_4 if isinstance(ip, IPv4Address) else _INTERNAL_6
    if allow_internal and any(ip in net for net in internal):
        return None
    public = _public_4(ip) if isinstance(ip, IPv4Address) else _public_6(ip)
    return None if public else NOT_PUBLIC


def _public_4(ip: IPv4Address) -> bool:
    return ip.is_global and not ip.is_multicast and not ip.is_reserved and not any(ip in net for net in _REFUSED_4)


def _public_6(ip: IPv6Address) -> bool:
    return ip.is_global and ip.scope_id is None and ip in _PUBLIC_6 and not any(ip in net for net in _REFUSED_6)


def _split(url: str) -> SplitResult:
    if len(url) > LONGEST_URL:
        raise _refused(f"The URL is longer than {LONGEST_URL} characters.")
    if not _PLAIN.fullmatch(url) or "\\" in url:
        raise _refused("Write the URL in plain ASCII without spaces or backslashes (a host in its xn-- form).")
    try:
        parts = urlsplit(url)
    except ValueError:
        raise _refused("This does not read as a URL. It must look like https://host/path.") from None
    if not parts.scheme or not parts.hostname:
        raise _refused("The URL must look like https://host/path.")
    if "@" in parts.netloc:
        raise _refused("Leave user name and password out of the URL: they are never sent.")
    if "#" in url:
        raise _refused("Leave the fragment (#...) out of the URL.")
    return parts


def _port(parts: SplitResult) -> int:
    try:
        port = parts.port
    except ValueError:
        raise _refused("The port of the URL is no number from 1 to 65535.") from None
    if port is not None:
        return port
    return 443 if parts.scheme == "https" else 80


def _is_loopback(host: str) -> bool:
    if f".{host.rstrip('.')}".endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _vet_host(host: str, *, allow_loopback: bool, allow_internal: bool) -> None:
    try:
        ip_address(host)
    except ValueError:
        last = host.rstrip(".").rpartition(".")[2]
        if not _HOST.fullmatch(host) or _NUMBER.fullmatch(last):
            raise _refused("The host of the URL is neither a name nor an IP address in its usual form.") from None
    else:
        reason = why_not(host, allow_loopback=allow_loopback, allow_internal=allow_internal)
        if reason:
            raise _refused(f"The URL's address can't be used: {reason}. Use a host that the internet can reach.")


def _refused(detail: str) -> Refused:
    return Refused(detail, pointer=_POINTER)

"""Where a request comes from: is it local, did our own pages send it, does it name one of our hosts?

Pages open without a login only on this machine. A proxy on this machine makes every request look local, so any trace of
one ends that trust. A proxy that leaves no trace and runs as the same user can't be detected: BATON_PUBLIC_URL or
BATON_PAGES_LOGIN turns the trust off.
"""

import os
import re
from pathlib import Path
from urllib.parse import urlsplit

from shared.http.asgi import Scope
from shared.http.problems import Forbidden, Misdirected
from shared.settings import Settings

SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
_LOOPBACK_PEERS = ("127.0.0.1", "::1", "::ffff:127.0.0.1")
# What proxies, load balancers and content networks add; ours to see only when one of them is in front.
_ADDED_BY_PROXIES = re.compile(
    rb"via|forwarded|.*forwarded-.*|.*(real|client|remote|originating|connecting|source|user)-?ip|.*-client-addr"
    rb"|remote-addr|x-remote-.*|x-host|x-scheme|x-ssl.*|ssl-client-.*|x-client-.*|x-original-.*|x-rewrite-.*|x-proxy.*"
    rb"|wl-proxy-.*|cdn-.*|cf-.*|fly-.*|fastly-.*|akamai-.*|x-akamai-.*|x-amz.*|x-azure-.*|x-arr-.*|x-appengine-.*"
    rb"|x-cloud-.*|x-envoy-.*|x-haproxy.*|x-nginx.*|x-traefik.*|x-varnish|x-sucuri-.*|x-vercel-.*|x-forwarded"
)
_LOOPBACK_HOSTS = ("127.0.0.1", "localhost", "[::1]")
_PROC_TCP = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))


def why_not_local(scope: Scope, settings: Settings) -> str | None:
    """Why a request may come from another machine, or another user of this one; None if there is no sign of that."""
    if not settings.pages_open:
        return "Pages need a login here."
    client, server = scope.get("client"), scope.get("server")
    if client is None or client[0] not in _LOOPBACK_PEERS:
        return "You are not on the machine that Baton runs on."
    if server is not None and server[1] and not _sent_by_our_user(client[1], server[1]):
        return "Another user of this machine is asking, or a proxy that runs as one."
    return _trace_of_a_proxy(scope)


def _trace_of_a_proxy(scope: Scope) -> str | None:
    hosts = [value for name, value in scope["headers"] if name == b"host"]
    if len(hosts) != 1 or not host_is_loopback(hosts[0].decode("latin-1")):
        return "The address is not one of this machine's own names (127.0.0.1, localhost)."
    added = next((name for name, _ in scope["headers"] if _ADDED_BY_PROXIES.fullmatch(name)), None)
    if added is not None:
        return f"The header {added.decode('latin-1')} says that a proxy is in front."
    if scope["http_version"] == "1.0":
        return "The request is HTTP/1.0, as proxies send it."
    return None


def refuse_cross_site(scope: Scope, settings: Settings) -> None:
    """Raise `Forbidden` for a change that a browser sends on behalf of another site's page.

    A browser adds a remembered Basic login to such a request, but never a Bearer key.
    """
    headers = dict(scope["headers"])
    if headers.get(b"authorization", b"")[:7].lower() == b"bearer ":
        return
    site = headers.get(b"sec-fetch-site")
    origin = headers.get(b"origin")
    if site is not None:
        ours = site in (b"same-origin", b"none")
    else:
        ours = origin is None or _is_our_origin(origin.decode("latin-1"), headers.get(b"host"), settings)
    if not ours:
        raise Forbidden(
            "A page of another site asked for this change. Send it from Baton's own pages, or with your key as a "
            "Bearer token; behind a proxy, set BATON_PUBLIC_URL to the address that browsers use."
        )


def refuse_foreign_host(scope: Scope, settings: Settings) -> None:
    """Raise `Misdirected` when a loopback socket is addressed by a name that is not ours: DNS rebinding."""
    if not settings.loopback:
        return
    host = header(scope, b"host") or ""
    if not host_is_loopback(host) and urlsplit(f"//{host}").hostname != urlsplit(settings.public_url or "").hostname:
        raise Misdirected("This address answers to 127.0.0.1, localhost and the host of BATON_PUBLIC_URL only.")


def host_is_loopback(host: str) -> bool:
    """Whether a `Host` header names this machine; another name on a loopback socket is a DNS rebinding attempt."""
    return (host if host.endswith("]") else host.rsplit(":", 1)[0]) in _LOOPBACK_HOSTS


def header(scope: Scope, wanted: bytes) -> str | None:
    """A header of a request as text; None without it."""
    return next((value.decode("latin-1") for name, value in scope["headers"] if name == wanted), None)


def _is_our_origin(origin: str, host: bytes | None, settings: Settings) -> bool:
    """Whether an `Origin` is the address that was asked, or the public one. The scheme may have ended at a proxy."""
    given = urlsplit(origin)
    if settings.public_url is not None and origin == _origin(settings.public_url):
        return True
    return bool(given.netloc) and given.netloc.lower() == (host or b"").decode("latin-1").lower()


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower()


def _sent_by_our_user(client_port: int, server_port: int) -> bool:
    """Whether the peer of a loopback connection runs as our user or root; True if the system cannot tell."""
    ends = (f":{client_port:04X}", f":{server_port:04X}")
    for file in _PROC_TCP:
        try:
            lines = file.read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            if fields[1].endswith(ends[0]) and fields[2].endswith(ends[1]):
                return int(fields[7]) in (0, os.geteuid())
    return True

"""What a request has to show before a route serves it: a key with a scope, or that it may look at pages."""

from typing import Annotated, Any

from fastapi import Depends, Header, Request

from shared.http.asgi import Scope
from shared.http.keys import Key, Keys
from shared.http.origin import header, why_not_local
from shared.http.problems import Unauthorised
from shared.settings import Settings


def require(keys: Keys, scope: str) -> Any:
    """A route's dependency: the key of the request, which must carry `scope`."""

    async def authorised(authorization: Annotated[str | None, Header()] = None) -> Key:
        return keys.authorise(authorization, scope)

    return Depends(authorised)


def require_viewer(settings: Settings, keys: Keys, scope: str = "leads:read") -> Any:
    """A route's dependency: the request may look at pages, as `may_view` says."""

    async def allowed(request: Request) -> None:
        may_view(request.scope, settings, keys, scope)

    return Depends(allowed)


def may_view(scope: Scope, settings: Settings, keys: Keys, needed: str = "leads:read") -> None:
    """Let a browser see pages: on this machine without a login, elsewhere with a key that carries `needed` (Basic).

    Raises `Unauthorised` or `Forbidden`.
    """
    reason = why_not_local(scope, settings)
    if reason is None:
        return
    authorization = header(scope, b"authorization")
    if authorization is None:
        raise Unauthorised(f"{reason} Log in with any name and your key as the password, or send it as a Bearer token.")
    keys.authorise(authorization, needed)

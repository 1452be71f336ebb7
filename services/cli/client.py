"""Requests to the running Baton as its administrator."""

from collections.abc import Mapping

import httpx

from shared.domain.errors import Misconfigured, Refused, Unavailable
from shared.settings import Settings, read

_ANSWERS_WITHIN_S = 30


def send(
    environ: Mapping[str, str], method: str, path: str, url: str | None = None, body: object = None
) -> httpx.Response:
    """Send `body` as JSON and return the response. The default for `url` is BATON_PUBLIC_URL, or this machine.

    Raises `Misconfigured` without the administrator's key, `Unavailable` if nothing answers, and `Refused` with the
    reason for any status of failure.
    """
    settings = read(Settings, environ)
    if settings.admin_key is None:
        raise Misconfigured("BATON_ADMIN_KEY is not set. Set it, or BATON_ADMIN_KEY_FILE, to the administrator's key.")
    base = (url or settings.public_url or f"http://{settings.host}:{settings.port}").rstrip("/")
    headers = {"Authorization": f"Bearer {settings.admin_key.get_secret_value()}"}
    try:
        answer = httpx.request(method, f"{base}{path}", headers=headers, json=body, timeout=_ANSWERS_WITHIN_S)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise Unavailable(
            f"Baton does not answer at {base} ({type(error).__name__}). Start it, or set --url."
        ) from error
    if not answer.is_success:
        raise Refused(_reason(answer))
    return answer


def _reason(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["detail"])
    except (ValueError, KeyError, TypeError):
        return f"Baton responded with {answer.status_code}. Check --url."

"""`./baton declare-lost`: the operator's word that the disk of an ingest instance is gone for good."""

from collections.abc import Mapping
from urllib.parse import quote

import httpx

from shared.domain.errors import Misconfigured, Refused, Unavailable
from shared.settings import Settings, read

_ANSWERS_WITHIN_S = 30


def declared_lost(environ: Mapping[str, str], instance: str, url: str | None = None) -> str:
    """Tell the running Baton; what it said, in a sentence.

    Raises `Misconfigured` without the administrator's key, `Unavailable` when nothing answers, `Refused` with the
    reason when it won't.
    """
    settings = read(Settings, environ)
    if settings.admin_key is None:
        raise Misconfigured("BATON_ADMIN_KEY is not set. Set it, or BATON_ADMIN_KEY_FILE, to the administrator's key.")
    base = (url or settings.public_url or f"http://{settings.host}:{settings.port}").rstrip("/")
    try:
        answer = httpx.post(
            f"{base}/v1/instances/{quote(instance, safe='')}/declare-lost",
            headers={"Authorization": f"Bearer {settings.admin_key.get_secret_value()}"},
            timeout=_ANSWERS_WITHIN_S,
        )
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise Unavailable(
            f"Baton does not answer at {base} ({type(error).__name__}). Start it, or give --url."
        ) from error
    if answer.status_code != httpx.codes.OK:
        raise Refused(_reason(answer))
    return f"{instance} is declared lost: promises no longer wait for what it has not sent."


def _reason(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["detail"])
    except (ValueError, KeyError, TypeError):
        return f"It answered {answer.status_code}. Check --url."

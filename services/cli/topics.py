"""`./baton topics`: shows and repairs records that are missing from the log."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from services.cli.client import send
from shared.domain.errors import Misconfigured


def missing(environ: Mapping[str, str], url: str | None = None) -> list[str]:
    """One line per gap. Raises as `send`."""
    return _lines(send(environ, "GET", "/v1/gaps", url).json()["items"])


def sent_again(environ: Mapping[str, str], since: str | None, url: str | None = None) -> str:
    """Have ingest and the other services publish again what they retain; returns a sentence about it."""
    body = {"since": _instant(since)}
    send(environ, "POST", "/v1/spool/resend", url, body)
    events = send(environ, "POST", "/v1/gaps/resend", url, body).json()["events"]
    return (
        f"Ingest is publishing again every fact that it retains, and the other services {events} events. "
        f"Consumers ignore what they have already handled. Next: ./baton topics accept"
    )


def accepted(environ: Mapping[str, str], url: str | None = None) -> list[str]:
    """Let the services continue after every gap. One line per gap, and one for inquiries that stay missing."""
    answer = send(environ, "POST", "/v1/gaps/accept", url, {}).json()
    lines = _lines(answer["items"])
    if answer["inquiries"]:
        lines.append(f"scoreboard: {answer['inquiries']} accepted inquiries stay missing")
    return lines


def _lines(items: list[dict[str, Any]]) -> list[str]:
    return [f"{item['service']}: {item['detail']} (found at {item['found_at']})" for item in items]


def _instant(text: str | None) -> str | None:
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError as wrong:
        raise Misconfigured(
            f"--since {text} is not a date or instant. Use the form 2026-11-23 or 2026-11-23T09:00Z."
        ) from wrong
    return at.astimezone().isoformat()

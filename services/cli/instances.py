"""Commands about ingest instances: declare one lost, or confirm its clock."""

from collections.abc import Mapping
from urllib.parse import quote

from services.cli.client import send


def declare_lost(environ: Mapping[str, str], instance: str, url: str | None = None) -> str:
    """Declare an instance lost; returns a sentence about it. Raises as `send`."""
    send(environ, "POST", f"/v1/instances/{quote(instance, safe='')}/declare-lost", url)
    return f"{instance} is declared lost. Promises no longer wait for its facts."


def accepted_clock(environ: Mapping[str, str], url: str | None = None) -> str:
    """Confirm the clock; returns a sentence about it. Raises as `send`."""
    send(environ, "POST", "/v1/clock/accept", url)
    return "The clock of the ingest machine is confirmed."

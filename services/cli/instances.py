"""What an operator says of ingest instances: that the disk of one is gone for good, or that its clock is right."""

from collections.abc import Mapping
from urllib.parse import quote

from services.cli.client import send


def declare_lost(environ: Mapping[str, str], instance: str, url: str | None = None) -> str:
    """Tell the running Baton; what it said, in a sentence. Raises as `send`."""
    send(environ, "POST", f"/v1/instances/{quote(instance, safe='')}/declare-lost", url)
    return f"{instance} is declared lost: promises no longer wait for what it has not sent."


def accepted_clock(environ: Mapping[str, str], url: str | None = None) -> str:
    """Tell the running ingest; what it said, in a sentence. Raises as `send`."""
    send(environ, "POST", "/v1/clock/accept", url)
    return "The clock of the ingest machine counts as right from now on."

"""`./baton declare-lost`: the operator's word that the disk of an ingest instance is gone for good."""

from collections.abc import Mapping
from urllib.parse import quote

from services.cli.asking import ask


def declared_lost(environ: Mapping[str, str], instance: str, url: str | None = None) -> str:
    """Tell the running Baton; what it said, in a sentence. Raises as `ask`."""
    ask(environ, "POST", f"/v1/instances/{quote(instance, safe='')}/declare-lost", url)
    return f"{instance} is declared lost: promises no longer wait for what it has not sent."

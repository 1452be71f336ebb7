"""`python -m services.embedded`, which is what `make run` starts: everything in one process, ready in seconds."""

import os
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path

from services.delivery.service import build as delivery
from services.ingest.service import build as ingest
from services.router.service import build as router
from services.scoreboard.service import build as scoreboard
from services.sla_monitor.service import build as sla_monitor
from shared.domain.errors import Misconfigured
from shared.runtime.run import main
from shared.whole_file import replace_file

BUILDERS = (ingest, router, sla_monitor, delivery, scoreboard)

_OF_ALL = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104
"""Where a process that listens on all addresses reaches itself."""

CURL = """
Post a lead:

  curl -sS {url}/v1/leads \\
    -H "Authorization: Bearer {key}" -H 'Content-Type: application/json' \\
    -d '{{"source": "website", "kind": "demo_request",
         "contact": {{"email": "jo@example.com", "first_name": "Jo", "country": "BE", "seniority": "director"}},
         "company": {{"name": "Example NV", "employees": 120}},
         "consent": {{"basis": "opt_in"}}}}'

and watch it at {url}/

"""


def run() -> int:
    """Start, print the address, and run until Ctrl-C. Returns the exit code."""
    os.umask(0o077)  # leads and keys are this user's alone
    environ = {"BATON_ALLOW_LOOPBACK_ENDPOINTS": "true", "BATON_INGEST_MONITOR_URL": own_url(os.environ), **os.environ}
    try:
        key, note = _admin_key(environ)
    except (OSError, Misconfigured) as wrong:
        sys.stderr.write(f"baton: {wrong}\n")
        return 2

    def ready(url: str) -> None:
        shown = "$BATON_ADMIN_KEY" if note is None else key
        sys.stdout.write(f"Baton is ready at {url}\n{note or ''}{CURL.format(url=url, key=shown)}")
        sys.stdout.flush()

    return main(BUILDERS, environ, ready=ready)


def own_url(environ: Mapping[str, str]) -> str:
    """Where this process reaches itself: at the address that it listens on, or on loopback if it listens on all."""
    host = environ.get("BATON_HOST") or "127.0.0.1"
    host = _OF_ALL.get(host, host)
    return f"http://{f'[{host}]' if ':' in host else host}:{environ.get('BATON_PORT') or 8080}"


def _admin_key(environ: dict[str, str]) -> tuple[str, str | None]:
    """The administrator's key: the one that is set, or one generated for this data folder and shown once."""
    if environ.get("BATON_ADMIN_KEY") or environ.get("BATON_ADMIN_KEY_FILE"):
        return "", None
    file = Path(environ.get("BATON_DATA", "data")) / "admin.key"
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as wrong:
        raise Misconfigured(
            f"the data folder {file.parent} can't be made ({wrong.strerror}). Set BATON_DATA."
        ) from wrong
    if file.exists():
        environ["BATON_ADMIN_KEY_FILE"] = str(file)
        return f"$(cat {file})", f"The administrator's key is in {file}.\n"
    key = "bk_" + secrets.token_urlsafe(32)
    replace_file(file, f"{key}\n".encode())
    environ["BATON_ADMIN_KEY"] = key
    return key, f"The administrator's key, made up for this data folder and shown only now: {key}\n"


if __name__ == "__main__":
    sys.exit(run())

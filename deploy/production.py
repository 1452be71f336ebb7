"""`python -m deploy.production`, which is what `make production` starts: the production layout in the data folder,
until Ctrl-C or SIGTERM.
"""

import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deploy.layout import Layout
from deploy.local.process import ComponentError
from shared.domain.errors import Misconfigured, Problem
from shared.http.keys import refuse_weak_admin_key
from shared.settings import Settings, read, refuse_unread

FOLDER = Path("data/production")

WELCOME = """
Baton is ready at {url}

{table}

{note}Post a lead:

  curl -sS {url}/v1/leads \\
    -H "Authorization: Bearer {key}" -H 'Content-Type: application/json' \\
    -d '{{"source": "website", "kind": "demo_request",
         "contact": {{"email": "jo@example.com", "first_name": "Jo", "country": "BE", "seniority": "director"}},
         "company": {{"name": "Example NV", "employees": 120}},
         "consent": {{"basis": "opt_in"}}}}'

Ctrl-C stops everything; the data stays in {folder}.
"""


def main(environ: Mapping[str, str]) -> int:
    """Start, print the address, and run until Ctrl-C or SIGTERM. Returns the exit code: 0 when stopped, 2 if it cannot
    start. A component that keeps failing is named on stderr and restarted; it does not end the others.
    """
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, _interrupt)
    # Leads are stored here: readable by the owner only.
    os.umask(0o077)
    try:
        layout = _layout(environ)
    except Problem as wrong:
        return _failed(wrong.detail, 2)
    try:
        layout.start()
        _write(_welcome(layout))
        while True:
            signal.pause()
    except ComponentError as wrong:
        return _failed(str(wrong), 2)
    except KeyboardInterrupt:
        _write("\nStopping ...\n")
        return 0
    finally:
        # A second Ctrl-C must not leave half of it running.
        for each in (signal.SIGINT, signal.SIGTERM):
            signal.signal(each, signal.SIG_IGN)
        layout.stop()


def _layout(environ: Mapping[str, str]) -> Layout:
    refuse_unread(environ)
    settings = read(Settings, environ)
    refuse_weak_admin_key(settings)
    if not settings.loopback:
        raise Misconfigured(
            f"BATON_HOST is {settings.host}, but this layout serves this machine only: its services trust everyone "
            f"on it. Unset BATON_HOST, or use docker compose (docs/production.md)."
        )
    return Layout(
        settings.data if environ.get("BATON_DATA") else FOLDER,
        environ=environ,
        kafka=settings.kafka,
        database_url=settings.database_url.get_secret_value() if settings.database_url else None,
        port=settings.port,
        say=lambda line: _write(line + "\n"),
        warn=_warn,
    )


def _welcome(layout: Layout) -> str:
    rows = [("part", "port", "process", "log")]
    for name, part in layout.parts.items():
        rows.append((name, str(getattr(part, "port", "")), str(part.pid or "-"), _short(part.log)))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    table = "\n".join("  " + "  ".join([*map(str.ljust, row, widths), row[3]]) for row in rows)
    made_up = layout.made_up.get("ADMIN_KEY")
    key = made_up or _where_the_key_is(layout.folder / "admin.key")
    note = f"The administrator's key, made up for this data folder and shown only now: {key}\n\n" if made_up else ""
    return WELCOME.format(url=layout.url, table=table, note=note, key=key, folder=_short(layout.folder))


def _where_the_key_is(file: Path) -> str:
    return f"$(cat {_short(file)})" if file.exists() else "$BATON_ADMIN_KEY"


def _short(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def _interrupt(*_: Any) -> None:
    raise KeyboardInterrupt


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def _warn(text: str) -> None:
    sys.stderr.write(f"baton: {text}\n")
    sys.stderr.flush()


def _failed(why: str, code: int) -> int:
    _warn(why)
    return code


if __name__ == "__main__":
    sys.exit(main(os.environ))

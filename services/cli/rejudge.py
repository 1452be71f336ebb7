"""`./baton re-judge`: leads that were rejected or wait, judged again under the version in force."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.cli.client import send
from services.cli.dates import instant
from shared.domain.errors import Misconfigured, Refused

PATH = "/v1/re-judge"
LOOKS_EVERY_S = 0.5


@dataclass(frozen=True, slots=True)
class RejudgeOptions:
    """Leads received on these dates (UTC; None does not restrict) that are in one of `statuses` (empty: both)."""

    since: str | None = None
    until: str | None = None
    statuses: tuple[str, ...] = ()


def simulated(environ: Mapping[str, str], options: RejudgeOptions, url: str | None = None) -> dict[str, Any]:
    """What judging them again would come to. Raises as `send`, and `Misconfigured` for a date that is none."""
    unknown = [status for status in options.statuses if status not in ("rejected", "parked")]
    if unknown:
        raise Misconfigured(f"--status {unknown[0]!r} is unknown. Use 'rejected' or 'parked'.")
    body = {
        "from": _text(instant("--from", options.since, "UTC")),
        "to": _text(instant("--to", options.until, "UTC", days=1)),
        "statuses": list(options.statuses) or None,
    }
    found: dict[str, Any] = send(environ, "POST", PATH, url, body).json()
    return found


def applied(
    environ: Mapping[str, str], simulation: str, reason: str, by: str | None, url: str | None = None
) -> dict[str, Any]:
    """Apply the simulation, and wait until all its leads are judged again. Raises as `send`, and `Refused` if it
    stopped before.
    """
    body = {"simulation": simulation, "reason": reason, "by": by}
    found: dict[str, Any] = send(environ, "POST", PATH, url, body).json()
    while found["state"] == "applying":
        time.sleep(LOOKS_EVERY_S)
        found = send(environ, "GET", f"{PATH}/{simulation}", url).json()
    if found["state"] == "stopped":
        raise Refused(f"Stopped after {found['applied']['leads']} leads: {found['why']}. Simulate again.")
    return found


def lines(found: Mapping[str, Any], outcome: str) -> list[str]:
    """The `simulated` or `applied` outcome in lines: the totals, then the first leads that change."""
    agreement, counted = found["agreement"], found[outcome]
    period = f"from {found['from']} " if found["from"] else ""
    shown = [
        f"{counted['leads']:,} leads {period}to {found['to']}, under {agreement['name']} version "
        f"{agreement['version']}:"
    ]
    for before, after in sorted(counted["changes"].items()):
        shown += [f"  {before} -> {name}: {number:,}" for name, number in sorted(after.items())]
    if counted["first"]:
        shown.append(f"The first {len(counted['first'])} that change:")
    shown += [
        f"  {each['lead_id']}  {each['before']} -> {each['after']} {each['rep'] or each['pool'] or ''}".rstrip()
        for each in counted["first"]
    ]
    return shown


def _text(at: datetime | None) -> str | None:
    return at.isoformat() if at is not None else None

"""Audits of promises on a lead from facts alone, without a monitor."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from services.scoreboard.domain.audit.comparison import Finding, findings
from services.scoreboard.domain.audit.persons import persons_of
from services.scoreboard.domain.audit.record import FoundWindow, Record
from shared.domain.agreement import Agreement
from shared.domain.events import Event
from shared.domain.ids import event_id
from tests.kit.agreements import agreement
from tests.kit.events import NINE, after

DEAL = agreement(within="15 minutes", warn="5 minutes", move="1 hour", page="2 hours")
NEXT_DAY = after(60 * 24)
HAND_OFF: dict[str, Any] = {"agreement": DEAL.ref, "assigned_at": NINE, "received_at": NINE}


def window(lead: str = "ld_1", generation: int = 1, **changes: Any) -> FoundWindow:
    opened_at = changes.pop("opened_at", NINE)
    state = changes.get("state", "met")
    ordinary: dict[str, Any] = {
        "window_id": event_id("window", lead, "first_response", generation),
        "lead_id": lead,
        "promise": "first_response",
        "owner": "ann",
        "generation": generation,
        "opened_at": opened_at,
        "due_at": opened_at + timedelta(minutes=15),
        "decide_at": opened_at + timedelta(minutes=15, seconds=2),
        "state": state,
        "stored_state": state,
    }
    return FoundWindow(**ordinary | changes)


def audited(
    events: Sequence[Event],
    *windows: FoundWindow,
    now: datetime = NEXT_DAY,
    lead: str = "ld_1",
    deal: Agreement = DEAL,
    promise: str | None = None,
) -> Any:
    """The findings on a lead, or on one promise, if everything was announced as it is stored, as (status, expected,
    found).
    """
    record = Record(
        windows={each.window_id: each for each in windows},
        announced={each.window_id: frozenset({"opened", each.state}) for each in windows},
        fired={},
        known_upto=now,
        now=now,
        tolerance=timedelta(seconds=2),
    )
    found = findings(lead, persons_of(events), {deal.hash: deal}, record)
    return [_short(each) for each in found if promise in (None, each.promise)]


def _short(finding: Finding) -> tuple[str, str, str]:
    return finding.status, finding.expected, finding.found or finding.why

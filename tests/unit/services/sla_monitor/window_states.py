"""An agreement, a lead and its windows, to test the monitor's rules with."""

from datetime import datetime, timedelta
from typing import Any

import msgspec

from services.sla_monitor.domain.opening import Watch, opened
from services.sla_monitor.domain.opening import parked as parked_window
from services.sla_monitor.domain.window import Fact, Window
from shared.domain.agreement import Agreement, Duration, Ladder, Mql, Person, Promise, Queue, Step
from shared.domain.calendar import Calendar
from shared.domain.events import AgreementRef, LeadAssigned, LeadParked
from tests.kit import events
from tests.kit.events import NINE

T0 = NINE
AGREEMENT = AgreementRef("emea", 3, "sha256:x")
TOLERANCE = timedelta(seconds=2)
OFFICE = Calendar("office", "UTC", {day: [(9 * 3600, 17 * 3600)] for day in range(5)})
RESPONSE = Ladder(
    "response",
    (
        Step(1, -300, tell=("rep",)),
        Step(2, 0, tell=("rep", "manager")),
        Step(3, 900, move_within="pool"),
        Step(4, 3600, tell=("ops",), page=True, if_unanswered=True),
    ),
    repeats=2,
    repeat_every_s=1800,
)
PROMPTLY = Duration(120)
FIRST_RESPONSE = Promise("first_response", Duration(900), ("call", "email"), "response", "wall")
ATTEMPTS = Promise("attempts", Duration(900), ("call", "email"), "response", "wall", at_least=3)
DISPOSITION = Promise("disposition", Duration(3600), ("accepted", "rejected"), "response", "wall")
TRIAGE = Promise("triage", Duration(900), ("assigned",), "response", "wall", side="operations")
DISPUTES = Promise("disputes", Duration(900), ("accepted", "rejected"), "response", "wall", side="operations")
OPERATIONS = {"triage": TRIAGE, "disputes": DISPUTES}
QUEUES = {"triage": Queue("triage", "mia")}


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def agreement(*promises: Promise, ladder: Ladder = RESPONSE, hand_off_within: Duration | None = PROMPTLY) -> Agreement:
    return Agreement(
        name="emea",
        version=3,
        hash="sha256:x",
        text="",
        timezone="UTC",
        effective_from=T0,
        calendars={},
        mql=Mql(hand_off_within=hand_off_within),
        scoring=(),
        people={who: Person(who, f"{who}@acme.example", OFFICE) for who in ("ann", "bob", "mia")},
        pools={},
        routing=(),
        promises={promise.name: promise for promise in promises or (FIRST_RESPONSE,)},
        ladders={ladder.name: ladder},
        queues=QUEUES,
        operations=OPERATIONS,
    )


def assigned(**changes: Any) -> LeadAssigned:
    ordinary = {"assigned_at": T0, "received_at": at(-1), "respond_by": None, "agreement": AGREEMENT}
    return events.assigned(**ordinary | changes)


def parked(**changes: Any) -> LeadParked:
    return events.parked(**{"decided_at": T0, "agreement": AGREEMENT, **changes})


def watch(known_at: datetime = T0) -> Watch:
    return Watch(3, known_at, TOLERANCE)


def window(event: LeadAssigned | None = None, deal: Agreement | None = None, *, known_at: datetime = T0) -> Window:
    [found] = opened(event or assigned(), deal or agreement(), watch(known_at))
    return found


def waiting(event: LeadParked | None = None, deal: Agreement | None = None, *, known_at: datetime = T0) -> Window:
    found = parked_window(event or parked(), deal or agreement(), watch(known_at))
    assert found is not None
    return found


def fact(kind: str, seconds: float, name: str = "", *, happened: float | None = None, **more: str) -> Fact:
    """A fact that was accepted so many seconds after the hand-off, and dated by a trusted sender if it `happened`."""
    accepted = Fact(name or f"{kind}@{seconds}", kind, at(seconds), **more)  # type: ignore[arg-type]
    return accepted if happened is None else msgspec.structs.replace(accepted, happened_at=at(happened))

"""A small world in which all was well, for tests of the checker."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.torture.ledger import (
    Activity,
    Evidence,
    Holding,
    Inquiry,
    Ledger,
    Record,
    Rotation,
    Rules,
    Standing,
    Verdict,
    Webhook,
)

RULES = Rules({"benelux": {"ann": 2, "bob": 1}}, tolerance_s=1.0)
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
INQUIRIES, ACTIVITIES = "baton.inquiries.v1", "baton.activities.v1"
ASSIGNMENTS, ESCALATIONS = "baton.assignments.v1", "baton.escalations.v1"


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


@dataclass
class World:
    """Ann called about `called` in time. Bob never called about `missed`, which Ann then got and called about. Ann got
    `phone`, who turned out to be the same person as `mail`, and has called about them and sold under that id.
    """

    ledger: Ledger
    evidence: Evidence

    def record(self, event_id: str) -> Record:
        return next(record for record in self.evidence.records if record.event_id == event_id)

    def drop(self, event_id: str) -> None:
        self.evidence.records = [record for record in self.evidence.records if record.event_id != event_id]
        self.ledger.webhooks = [webhook for webhook in self.ledger.webhooks if webhook.webhook_id != event_id]

    def add(self, topic: str, event_id: str, kind: str, lead_id: str, /, **data: Any) -> None:
        record = Record(topic, 0, len(self.evidence.records), event_id, f"baton.{kind}.v1", lead_id, data)
        self.evidence.records = [*self.evidence.records, record]
        if topic in (ASSIGNMENTS, ESCALATIONS):
            event = {"id": event_id, "type": record.type, "subject": lead_id, "data": data}
            self.ledger.webhooks.append(Webhook(event_id, event, verified=True))

    def change(self, event_id: str, /, **changes: Any) -> None:
        """As if it had been announced and delivered otherwise from the start."""
        record = self.record(event_id)
        self.drop(event_id)
        self.add(
            record.topic,
            event_id,
            record.type.removeprefix("baton.").removesuffix(".v1"),
            record.lead_id,
            **{**record.data, **changes},
        )


def inquire(world: World, lead_id: str, person: str = "") -> None:
    world.ledger.inquiries[lead_id] = Inquiry(lead_id, at(0), at(0.1), {(f"inq-{lead_id}", lead_id)}, person or lead_id)
    world.add(
        INQUIRIES,
        f"in-{lead_id}",
        "inquiry.received",
        lead_id,
        inquiry_id=f"inq-{lead_id}",
        accepted_at=at(0).isoformat(),
    )


def merge(world: World, lead_id: str, into: str, *, seconds: float) -> None:
    world.add(
        ASSIGNMENTS,
        f"merged-{lead_id}",
        "lead.merged",
        lead_id,
        lead_version=1,
        inquiry_id=f"inq-{lead_id}",
        decided_at=at(seconds).isoformat(),
        into=into,
        contact={},
    )


def assign(world: World, lead_id: str, rep: str, *, generation: int, seconds: float, **more: Any) -> None:
    kind = "lead.assigned" if generation == 1 else "lead.reassigned"
    world.add(
        ASSIGNMENTS,
        f"as-{lead_id}-{generation}",
        kind,
        lead_id,
        lead_version=generation,
        assignment_id=f"{lead_id}-{generation}",
        generation=generation,
        inquiry_id=f"inq-{lead_id}",
        rep={"id": rep},
        pool="benelux",
        assigned_at=at(seconds).isoformat(),
        received_at=at(0).isoformat(),
        respond_by=at(seconds + 6).isoformat(),
        **more,
    )
    world.add(ESCALATIONS, f"op-{lead_id}-{generation}", "window.opened", lead_id, generation=generation)


def end(world: World, lead_id: str, generation: int, how: str, /, **data: Any) -> None:
    world.add(ESCALATIONS, f"{how}-{lead_id}-{generation}", f"window.{how}", lead_id, generation=generation, **data)


def report(world: World, kind: str, lead_id: str, seconds: float, person: str = "") -> None:
    name = f"{kind}-{lead_id}"
    world.ledger.activities[name] = Activity(name, person or lead_id, kind, at(seconds - 0.1), at(seconds + 0.1))
    data = {"activity_id": name, "kind": kind, "accepted_at": at(seconds).isoformat()}
    world.add(ACTIVITIES, name, "activity.recorded", lead_id, **data)


def all_well() -> World:
    """Nothing is wrong in it."""
    made = World(Ledger(), Evidence())
    inquire(made, "called")
    assign(made, "called", "ann", generation=1, seconds=1)
    report(made, "call", "called", 4)
    end(made, "called", 1, "met", met_by="call-called")
    inquire(made, "missed")
    assign(made, "missed", "bob", generation=1, seconds=1)
    end(made, "missed", 1, "breached", due_at=at(7).isoformat(), detected_at=at(8.5).isoformat())
    assign(made, "missed", "ann", generation=2, seconds=10)
    report(made, "call", "missed", 12)
    end(made, "missed", 2, "met", met_by="call-missed")
    inquire(made, "phone", "pat")
    inquire(made, "mail", "pat")
    assign(made, "phone", "ann", generation=1, seconds=1)
    merge(made, "mail", "phone", seconds=2)
    report(made, "call", "mail", 5, "pat")
    report(made, "won", "mail", 20, "pat")
    end(made, "phone", 1, "met", met_by="call-mail")
    leads = {"called": Standing("assigned", "ann"), "missed": Standing("assigned", "ann")}
    leads |= {"phone": Standing("closed", "ann", "won"), "mail": Standing("merged", into="phone")}
    made.evidence = replace(
        made.evidence,
        verdicts=[
            Verdict("called", 1, "assigned", "inq-called"),
            Verdict("missed", 1, "assigned", "inq-missed"),
            Verdict("missed", 2, "reassigned", "inq-missed"),
            Verdict("phone", 1, "assigned", "inq-phone"),
            Verdict("phone", 2, "merged", "inq-mail"),
        ],
        holdings=[
            Holding("called-1", "called", 1, "ann", "benelux", active=True),
            Holding("missed-1", "missed", 1, "bob", "benelux", active=False),
            Holding("missed-2", "missed", 2, "ann", "benelux", active=True),
            Holding("phone-1", "phone", 1, "ann", "benelux", active=True),
        ],
        rotations={"benelux": Rotation(4, {"ann": 3, "bob": 1})},
        windows={("called", 1): "met", ("missed", 1): "breached", ("missed", 2): "met", ("phone", 1): "met"},
        decided=leads,
        shown=leads,
        conservation={"balanced": True, "in_flight": 0, "received": 4},
        unfinished={"events in an outbox": 0},
    )
    return made

"""The router's core, and its record as a simulation follows it."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import msgspec

from services.router.domain.availability import AvailabilityChange, Leave
from services.router.domain.formats import FORMAT
from services.router.domain.lead import Lead, LeadsRejudged
from services.router.domain.rederivation import differences
from services.router.domain.routing import Routing
from services.router.domain.routing_state import RoutingState
from services.router.domain.verdict import Verdict
from services.router.simulation.history import History
from services.router.simulation.lookup import ReplayLookup
from services.router.simulation.record_reader import RecordedVerdict, RecordRow
from services.router.simulation.replay_state import ReplayState
from services.router.simulation.storage import DiskDict, ReplayedLead
from shared.domain.events import ActivityRecorded, Event, InquiryReceived
from shared.domain.lead import LeadState
from tests.kit.events import after
from tests.unit.services.router.domain.test_decision import AGREED


class RecordedRouter:
    """Decides in memory. Each verdict has to follow from its proof, and the record has to lead to the same lead."""

    def __init__(self, folder: Path) -> None:
        self.leads = [_leads(folder / name) for name in ("live.db", "past.db")]
        self.inquiries = DiskDict(folder / "inquiries.db", msgspec.msgpack.Decoder(InquiryReceived))
        self.state = RoutingState()
        self.live, self.past = (ReplayState(leads, timedelta(seconds=2)) for leads in self.leads)
        self.history = History(self.past)
        self.lookup = ReplayLookup(self.live, None, self.inquiries)
        self.agreed = AGREED
        self.proof_format = FORMAT
        self.announced: list[Event] = []

    def ask(self, *asked: InquiryReceived, minutes: float = 1) -> list[Verdict]:
        """The verdicts on inquiries."""
        for each in asked:
            self.inquiries.put(each.inquiry_id, each)
        return self._run(minutes, asked=asked)

    def act(self, *facts: ActivityRecorded, minutes: float = 60) -> list[Verdict]:
        """The verdicts on what sales did, all of it in one transaction."""
        for fact in facts:
            self.live.add_fact(fact)
        return self._run(minutes, facts=facts)

    def judge_again(self, *states: LeadState, minutes: float = 90) -> list[Verdict]:
        """The verdicts on the leads in one of these states, in the order of their ids."""
        found = sorted(lead_id for lead_id, replayed in self.live.leads.items() if replayed.lead.state in states)
        batch = LeadsRejudged(tuple(found), states, "ops", "too strict")
        return self._run(minutes, rejudged=batch)

    def leave(self, rep: str, *leave: Leave, minutes: float) -> list[Verdict]:
        """The verdicts once the rep's leave has changed."""
        return self.then(lambda routing: routing.set_absence(rep, None, leave), minutes)

    def relieve(self, minutes: float) -> list[Verdict]:
        """The verdicts that others get leads of reps on leave because time has passed."""
        return self.then(lambda routing: routing.relieve(), minutes)

    def then(self, command: Callable[[Routing], object], minutes: float) -> list[Verdict]:
        """The verdicts that a command comes to."""
        return self._run(minutes, command=command)

    def _run(
        self,
        minutes: float,
        asked: tuple[InquiryReceived, ...] = (),
        facts: tuple[ActivityRecorded, ...] = (),
        rejudged: LeadsRejudged | None = None,
        command: Callable[[Routing], object] | None = None,
    ) -> list[Verdict]:
        named = {each.hash: each for each in self.agreed.deciding}
        self.live.agreements.update(named)
        self.past.agreements.update(named)
        self.state.begin()
        routing = Routing(self.state, self.lookup, self.agreed, after(minutes), proof_format=self.proof_format)
        if asked:
            routing.judge(asked)
        if facts:
            routing.apply(facts)
        if rejudged:
            routing.judge_again(rejudged)
        if command:
            command(routing)
        self.announced = routing.events
        self.lookup.save(routing)
        rows = sorted(_rows(routing), key=lambda row: row.seq)
        if rows:
            self.history.learn_rules(rows, {})
            self.history.follow(rows)
        for verdict in routing.verdicts:
            assert differences(verdict.proof, named[verdict.proof.agreement.hash]) == ()
        past, live = (_known(each.lead("ld_1")) for each in (self.past, self.live))
        assert past == live
        return routing.verdicts

    def close(self) -> None:
        """Close the files."""
        for each in self.leads:
            each.close()
        self.inquiries.close()


def _leads(file: Path) -> DiskDict[ReplayedLead]:
    return DiskDict(file, msgspec.msgpack.Decoder(ReplayedLead))


def _rows(routing: Routing) -> Iterator[RecordRow]:
    for verdict in routing.verdicts:
        recorded = msgspec.convert(msgspec.to_builtins(verdict.proof), RecordedVerdict)
        yield RecordRow(verdict.proof.seq, routing.now, verdict.lead.lead_id, recorded)
    for entry in routing.journal:
        if isinstance(entry.body, LeadsRejudged):
            yield RecordRow(entry.seq, entry.at, rejudged=entry.body)
        elif isinstance(entry.body, AvailabilityChange):
            yield RecordRow(entry.seq, entry.at, absence=entry.body)
        else:
            assert isinstance(entry.body, ActivityRecorded)
            yield RecordRow(entry.seq, entry.at, fact=entry.body)


def _known(lead: Lead | None) -> object:
    return lead and (
        lead.state,
        lead.stage,
        lead.score,
        lead.rep,
        lead.pool,
        lead.rule,
        None if lead.test else lead.pilot,
        lead.generation,
        lead.assigned_at if lead.state == "assigned" else None,
        lead.owner_leave,
        lead.segments,
        lead.respond_by if lead.state == "parked" else None,
        lead.reopened_at,
        lead.previous_ended_at,
        (lead.outcome, lead.ended_at) if lead.state == "closed" else None,
    )

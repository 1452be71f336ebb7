"""Periods as a state machine: leads, decisions, merges and versions of the agreement in any order, read late or not,
next to a model that counts from a plain list. Each lead counts once, and each period has one verdict.
"""

from collections import Counter
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from zoneinfo import ZoneInfo

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from services.sla_monitor.domain import ladder, transitions
from services.sla_monitor.domain.hand_offs import HandOff, counted
from services.sla_monitor.domain.period import Figures
from services.sla_monitor.domain.period_windows import due_windows, looked_at, period_verdict
from services.sla_monitor.domain.persons import Merge, Persons
from services.sla_monitor.domain.window import Fact, Window
from services.sla_monitor.domain.window_state import WindowState
from shared.domain.agreement import Agreement, Commitment, Ladder, Step
from shared.domain.agreement_versions import Schedule
from shared.domain.duty import Duty
from shared.domain.events import BreachRetracted, WindowBreached, WindowCancelled, WindowMet
from tests.unit.services.sla_monitor.window_states import OFFICE, TOLERANCE, agreement

BEGAN = datetime(2026, 9, 28, tzinfo=ZoneInfo("Europe/Brussels"))
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
READ_AFTER = timedelta(minutes=1)  # facts are complete and the wait is over by then
CLIMB = Ladder("commitments", (Step(1, 0, tell=("marketing_lead",)),))
VERDICTS = {WindowMet: "met", WindowBreached: "breached", WindowCancelled: "cancelled", BreachRetracted: "retracted"}
LENGTHS = ("day", "week", "month", "quarter")
hours = st.integers(0, 90 * 24)


def deal(number: int, per: str, target: int, zone: str) -> Agreement:
    volume = Commitment("volume", Decimal(target), per, "commitments")
    share = Commitment("accepted_share", Decimal("0.5"), "month", "commitments")
    return replace(
        agreement(ladder=CLIMB),
        version=number,
        timezone=zone,
        commitments={"volume": volume, "accepted_share": share},
        calendars={"office": OFFICE},
        duty={"marketing_lead": Duty(always="max")},
    )


@dataclass
class PersonSeen:
    """The model of a person: when each of their leads was handed over, and what sales decided when."""

    handed: dict[str, datetime]
    decided: list[tuple[datetime, str]]

    def first(self, kind: str) -> datetime | None:
        known = [at for at, each in self.decided if each == kind and at >= min(self.handed.values())]
        return min(known, default=None)

    def counts(self, starts_at: datetime, ends_at: datetime) -> Counter[str]:
        """What they add to a period: a rejection only if nothing before its end accepted the lead."""
        accepted, rejected = self.first("accepted"), self.first("rejected")
        found = Counter[str]()
        found["accepted"] = accepted is not None and starts_at <= accepted < ends_at
        won = accepted is not None and accepted < ends_at
        found["rejected"] = rejected is not None and starts_at <= rejected < ends_at and not won
        return found


class PeriodMachine(RuleBasedStateMachine):
    """The monitor's rules on periods with what the store would hold."""

    def __init__(self) -> None:
        super().__init__()
        self.now = BEGAN.astimezone(UTC)
        self.complete_upto = self.now
        self.versions: list[tuple[datetime, Agreement]] = []
        self.hand_offs: list[HandOff] = []
        self.facts: dict[str, list[Fact]] = {}
        self.merges: list[Merge] = []
        self.counted: list[HandOff] = []
        self.people: list[PersonSeen] = []
        self.states: dict[str, WindowState] = {}
        self.verdicts: dict[str, list[str]] = {}

    @initialize(per=st.sampled_from(LENGTHS), goal=st.integers(1, 3), zone=st.sampled_from(["Europe/Brussels", "UTC"]))
    def agree(self, per: str, goal: int, zone: str) -> None:
        self.versions = [(self.now - DAY, deal(1, per, goal, zone))]
        self._look()
        self.hand_over(0)
        self.hand_over(0)

    @precondition(lambda self: len(self.versions) < 4)
    @rule(per=st.sampled_from(LENGTHS), goal=st.integers(1, 3), zone=st.sampled_from(["Europe/Brussels", "UTC"]))
    def agree_again(self, per: str, goal: int, zone: str) -> None:
        self.now += HOUR
        self.versions.append((self.now, deal(len(self.versions) + 1, per, goal, zone)))

    @rule(ago=hours)
    def hand_over(self, ago: int) -> None:
        """A lead that is read now, and was handed over earlier."""
        lead, handed_at = f"ld_{len(self.hand_offs)}", self._ago(ago)
        self.hand_offs.append(
            HandOff(
                lead_id=lead,
                cycle=1,
                handed_at=handed_at,
                received_at=handed_at,
                starts_at=handed_at,
                straight=True,
                filled="",
            )
        )
        self.people.append(PersonSeen({lead: handed_at}, []))
        self._count_again()

    @precondition(lambda self: self.people)
    @rule(data=st.data(), kind=st.sampled_from(["accepted", "accepted", "rejected"]), ago=hours)
    def decide(self, data: st.DataObject, kind: str, ago: int) -> None:
        person = data.draw(st.sampled_from(self.people))
        lead, at = data.draw(st.sampled_from(sorted(person.handed))), self._ago(ago)
        person.decided.append((at, kind))
        self.facts.setdefault(lead, []).append(Fact(f"{kind}-{lead}-{at}", kind, at))
        self._count_again()

    @precondition(lambda self: len([each for each in self.people if not each.decided]) > 1)
    @rule(data=st.data())
    def two_leads_are_one_person(self, data: st.DataObject) -> None:
        one, other = [each for each in self.people if not each.decided][:2]
        into, lead = min(one.handed), min(other.handed)
        self.merges.append(Merge(lead, into, self.now, was_lead=True))
        one.handed |= other.handed
        self.people.remove(other)
        self._count_again()

    @rule(days=st.integers(1, 40))
    def time_passes(self, days: int) -> None:
        self.now += days * DAY
        self.complete_upto = self.now
        self._look()

    @rule(days=st.integers(1, 40))
    def facts_are_on_their_way(self, days: int) -> None:
        self.now += days * DAY
        self._look()

    @rule()
    def look(self) -> None:
        self._look()

    @invariant()
    def periods_of_a_promise_never_overlap(self) -> None:
        for promise in ("volume", "accepted_share"):
            bounds = sorted((each.opened_at, each.due_at) for each in self._windows if each.promise == promise)
            assert all(before[1] <= after[0] for before, after in pairwise(bounds))

    @invariant()
    def each_person_counts_once(self) -> None:
        for promise in ("volume", "accepted_share"):
            mine = [each for each in self._windows if each.promise == promise]
            total = sum(self._figures(each).accepted for each in mine)
            assert total <= len([each for each in self.people if each.first("accepted") is not None])

    @invariant()
    def a_period_has_one_verdict_and_is_over_by_then(self) -> None:
        for window in self._windows:
            found = self.verdicts.get(window.window_id, [])
            assert found in ([], ["met"], ["cancelled"], ["breached"], ["breached", "retracted"])
            if found:
                assert window.due_at < min(self.now, self.complete_upto)

    @invariant()
    def the_figures_are_those_of_a_plain_count(self) -> None:
        for window in self._windows:
            expected, found = self._expected(window), self._figures(window)
            assert (found.accepted, found.rejected) == (expected["accepted"], expected["rejected"])

    def teardown(self) -> None:
        """Later every period that had begun has its verdict, and a breach stands exactly if the count is short."""
        self.now = max([self.now, *(each.due_at for each in self._windows)]) + DAY
        self.complete_upto = self.now
        for key, state in list(self.states.items()):
            self._settle(key, state)
        self.a_period_has_one_verdict_and_is_over_by_then()
        for window in self._windows:
            if window.due_at + READ_AFTER <= self.now:
                short = self._short(window)
                found = self.verdicts[window.window_id][-1]
                assert found == "cancelled" or (found == "breached") <= short
                if short and found in ("met", "retracted"):
                    # Two leads became one person, or more was rejected, after the promise had been kept.
                    assert self.merges or window.promise == "accepted_share"

    @property
    def _windows(self) -> list[Window]:
        return [each.window for each in self.states.values()]

    def _ago(self, ago: int) -> datetime:
        return max(self.now - ago * HOUR, BEGAN.astimezone(UTC))

    def _short(self, window: Window) -> bool:
        found = self._expected(window)
        if window.promise == "volume":
            return found["accepted"] < self._commitment(window).target
        return found["accepted"] * 2 < found["accepted"] + found["rejected"]

    def _expected(self, window: Window) -> Counter[str]:
        found = Counter[str]()
        for person in self.people:
            found.update(person.counts(window.opened_at, window.due_at))
        return found

    def _commitment(self, window: Window) -> Commitment:
        [found] = [each for _, each in self.versions if each.version == window.agreement.version]
        return found.commitments[window.promise]

    def _figures(self, window: Window) -> Figures:
        """What the store counts of the hand-offs."""
        found = Counter[str]()
        for each in self.counted:
            accepted, rejected = each.accepted_at, each.rejected_at
            found["accepted"] += accepted is not None and window.opened_at <= accepted < window.due_at
            overruled = accepted is not None and accepted < window.due_at
            found["rejected"] += rejected is not None and window.opened_at <= rejected < window.due_at and not overruled
        return Figures(accepted=found["accepted"], rejected=found["rejected"])

    def _count_again(self) -> None:
        """As the store does: what is over is looked at once more."""
        persons = Persons({each.lead_id for each in self.hand_offs}, self.merges)
        self.counted = counted(self.hand_offs, persons, self.facts, TOLERANCE)
        for key, state in self.states.items():
            if state.window.state in ("open", "breached") and state.window.due_at <= self.now:
                self.states[key] = WindowState(
                    msgspec.structs.replace(state.window, look_at=self.now), state.escalation
                )

    def _look(self) -> None:
        ends = {
            promise: max(each.due_at for each in self._windows if each.promise == promise)
            for promise in {each.promise for each in self._windows}
        }
        for window in due_windows(Schedule(self.versions), ends, self.now, TOLERANCE):
            assert window.window_id not in self.states
            self.states[window.window_id] = transitions.open_window(window, (), self._levels(window))
        for key, state in list(self.states.items()):
            self._settle(key, state)

    def _settle(self, key: str, state: WindowState) -> None:
        if state.window.look_at is None or state.window.look_at > self.now:
            return
        deal_, commitment = self._deal(state.window), self._commitment(state.window)
        figures, upto = self._figures(state.window), min(self.now, self.complete_upto)
        seen = looked_at(state.window, commitment, deal_, figures, self.now)
        judged = period_verdict(seen, commitment, figures, now=self.now, watermark=upto)
        done = transitions.settle(
            WindowState(seen, state.escalation),
            (),
            self._levels(seen),
            deal_,
            now=self.now,
            watermark=upto,
            judged=judged,
        )
        names = [VERDICTS[type(each.event)] for each in done.announced if type(each.event) in VERDICTS]
        self.verdicts.setdefault(key, []).extend(names)
        self.states[key] = WindowState(done.window, done.escalation)

    def _deal(self, window: Window) -> Agreement:
        [found] = [each for _, each in self.versions if each.version == window.agreement.version]
        return found

    def _levels(self, window: Window) -> list[ladder.Level]:
        return ladder.levels(self._deal(window), window)


PeriodMachine.TestCase.settings = settings(max_examples=30, stateful_step_count=15, deadline=None)
TestPeriods = PeriodMachine.TestCase

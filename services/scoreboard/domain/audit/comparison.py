"""Compares what should have become of promises with what the monitor stored and announced."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Literal, get_args

import msgspec

from services.scoreboard.domain.audit.expectation import promises_on
from services.scoreboard.domain.audit.expected import (
    Expected,
    ended_at,
    kept_at,
    may_be_breached,
    reports,
    verdict_at,
)
from services.scoreboard.domain.audit.inquiries import HAND_OFF, owed_on
from services.scoreboard.domain.audit.ladders import ladder_differences
from services.scoreboard.domain.audit.notes import Notes
from services.scoreboard.domain.audit.persons import Persons
from services.scoreboard.domain.audit.record import FoundWindow, Record
from services.scoreboard.domain.audit.splits import SPLIT_OFTEN, SPLIT_UNSURE, since_split, unsure, views_of
from services.scoreboard.domain.audit.working_time import NotChecked, written
from shared.domain.agreement import Agreement

_View = tuple[Persons, Mapping[str, Sequence[Expected]]]

Status = Literal["right", "undecided", "not checked", "different"]
_STATUSES = get_args(Status)
"""From good to bad."""
_ELSEWHERE = "another of those who may owe the answer does"
_TRIMMED_AFTER = timedelta(days=90)
_OPENS_WITHIN = timedelta(seconds=10)
_LATE_AFTER = timedelta(minutes=10)


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What the audit says about one promise. `late` undecided ones should have had a verdict for some time, and
    `missing` ones are not stored.
    """

    status: Status
    window_id: str
    lead_id: str
    promise: str
    owner: str
    due_at: datetime | None
    expected: str = ""
    found: str = ""
    why: str = ""
    late: bool = False
    missing: bool = False


def findings(lead_id: str, persons: Persons, agreements: Mapping[str, Agreement], record: Record) -> list[Finding]:
    """What there is to say about every promise on a lead, expected or found."""
    on_lead = {window_id: each for window_id, each in record.windows.items() if each.lead_id == lead_id}
    mine = {window_id: each for window_id, each in on_lead.items() if each.promise != HAND_OFF}
    verdicts = {window_id: each for window_id, each in on_lead.items() if each.promise == HAND_OFF}
    return [
        *_on_lead(lead_id, mine, persons, agreements, record),
        *_on_inquiries(lead_id, verdicts, persons, agreements, record),
    ]


def _on_inquiries(
    lead_id: str, mine: Mapping[str, FoundWindow], persons: Persons, agreements: Mapping[str, Agreement], record: Record
) -> Iterator[Finding]:
    """What there is to say about the verdicts on the lead's inquiries. One that came in time leaves no promise."""
    inquiries = [each for each in persons.inquiries if each.lead_id == lead_id]
    expected = {each.window_id: each for each in owed_on(inquiries, persons, agreements, record.watched)}
    for window_id, window in mine.items():
        owed = expected.get(window_id)
        if owed is None or owed.opened_at != window.opened_at:
            yield finding_on(window, "not checked", why="when the inquiry was accepted is not known for sure")
        else:
            # What came late may have been read together with the inquiry, so that no level fired.
            yield _judged(owed, window, Persons(), record, with_ladder=not owed.assigned)
    for window_id, owed in expected.items():
        decide_at = owed.due_at + record.tolerance
        in_time = any(each.at <= decide_at for each in owed.assigned)
        if window_id not in mine and not in_time and record.now > decide_at + _LATE_AFTER:
            yield _never_opened(owed, Persons(), record)


def _on_lead(
    lead_id: str, mine: Mapping[str, FoundWindow], persons: Persons, agreements: Mapping[str, Agreement], record: Record
) -> Iterator[Finding]:
    """Where a promise may be one of several things, all of which are right, the best that there is to say about it."""
    tolerance = max((each.tolerance for each in mine.values()), default=record.tolerance)
    split_at = persons.split_at(lead_id)
    views: list[_View] = []
    try:
        for view in views_of(lead_id, persons):
            expected: dict[str, list[Expected]] = {}
            for each in promises_on(lead_id, view, agreements, tolerance):
                expected.setdefault(each.window_id, []).append(each)
            views.append((view, expected))
    except NotChecked as why:
        yield from (finding_on(each, "not checked", why=str(why)) for each in mine.values())
        return
    for window_id in dict.fromkeys([*(each for _, expected in views for each in expected), *mine]):
        known = views[0][1].get(window_id)
        apart = split_at is None or (known is not None and since_split(known[-1], split_at, persons))
        finding = _best(window_id, mine.get(window_id), views[:1] if apart else views, record)
        if finding is not None and not apart:
            finding = _of_split(finding, mine.get(window_id), persons)
        if finding is not None:
            yield finding


def _best(window_id: str, window: FoundWindow | None, views: Sequence[_View], record: Record) -> Finding | None:
    """The best that there is to say about a promise, if people may be seen in several ways. None: it need not be."""
    found: list[Finding] = []
    for persons, expected in views:
        ended = window is not None and window.state in ("met", "cancelled")
        may_be = [each for each in expected.get(window_id, []) if ended or not each.if_ended]
        if not may_be and window is None:
            return None
        found += [_judged(each, window, persons, record) for each in may_be]
        if window is not None and not may_be:
            found.append(_unexpected(window, persons, record))
    best = min(found, key=lambda each: _STATUSES.index(each.status))
    return best if best.why != _ELSEWHERE else None


def _of_split(finding: Finding, window: FoundWindow | None, persons: Persons) -> Finding:
    """A difference on a lead that was split counts only where it is known which facts may have counted."""
    often = persons.split_often(finding.lead_id)
    generation = window.generation if window is not None else 0
    if often or (finding.status == "different" and unsure(finding.lead_id, generation, persons)):
        why = SPLIT_OFTEN if often else SPLIT_UNSURE
        return msgspec.structs.replace(finding, status="not checked", expected="", found="", why=why, late=False)
    return finding


def _judged(
    expected: Expected, window: FoundWindow | None, persons: Persons, record: Record, *, with_ladder: bool = True
) -> Finding:
    if window is None:
        return _never_opened(expected, persons, record)
    unchecked = expected.unchecked or (f"on hold: {window.hold}" if window.hold is not None else "")
    if unchecked:
        return finding_on(expected, "not checked", why=unchecked)
    right, why = _right_states(expected, persons, record, window)
    wrong = [*_differences(expected, window, record)]
    status: Status = "undecided" if window.state == "open" else "right"
    try:
        breached = right == {"breached"} and window.state == "breached"
        wrong += ladder_differences(expected, window, persons, record, breached=breached) if with_ladder else ()
    except NotChecked as unknown:
        status, why = "not checked", f"its ladder: {unknown}"
    late = status == "undecided" and record.now > verdict_at(expected, window.tolerance) + _LATE_AFTER
    found = "; ".join((window.state, *wrong))
    different = bool(wrong) or window.state not in right
    return finding_on(expected, "different" if different else status, " or ".join(sorted(right)), found, why, late=late)


def _right_states(
    expected: Expected, persons: Persons, record: Record, window: FoundWindow
) -> tuple[frozenset[str], str]:
    """The states that are right by the facts, and why. Facts and moves come on different topics, so where both an
    answer and an end came by the deadline, either may have been read first, and both verdicts are right.
    """
    tolerance, known = window.tolerance, reports(expected, persons)
    decide_at = expected.due_at + tolerance
    right, why = set(), []
    kept, ended = kept_at(expected, known, tolerance), ended_at(expected, known, tolerance)
    if kept is not None and kept.at <= decide_at:
        right.add("met")
        why.append(f"{kept.kind} at {written(kept.at)}")
    if ended is not None and ended.at <= decide_at:
        right.add("cancelled")
        why.append(f"{ended.kind} at {written(ended.at)}")
    for each in expected.departures:
        if each.at <= decide_at:
            right.add("cancelled")
            why.append(f"{each.why} at {written(each.at)}")
    due_at = verdict_at(expected, tolerance)
    if may_be_breached(expected, tolerance) and "met" not in right:
        right.add("breached")
    if right:
        return frozenset(right), f"{', '.join(why)}; due {written(expected.due_at)}"
    if record.now < due_at:
        return frozenset({"open"}), f"due {written(expected.due_at)}"
    if record.known_upto is None or record.known_upto < due_at:
        return frozenset({"open", "breached"}), f"due {written(expected.due_at)}; facts may be on their way"
    return frozenset({"breached"}), f"nothing that keeps or ends it came by {written(decide_at)}"


def _differences(expected: Expected, window: FoundWindow, record: Record) -> Iterator[str]:
    """What is wrong about the promise itself, apart from its state, in words."""
    if window.stored_state != window.state:
        yield f"{window.stored_state} in lists"
    if window.owner != expected.owner:
        yield f"owed by {window.owner} instead of {expected.owner}"
    if window.due_at not in expected.dues:
        yield f"due {written(window.due_at)} instead of {written(expected.due_at)}"
    announced = announced_as(record.announced.get(window.window_id, frozenset()))
    runs = record.notes.get(window.window_id, Notes()).runs
    if announced != window.state and (not window.again or (runs is not None and len(runs) == window.again + 1)):
        yield f"announced as {announced}"


def announced_as(kinds: frozenset[str]) -> str:
    """How a promise stands by the events about it."""
    for state, events in (("met", {"met", "retracted"}), ("cancelled", {"cancelled", "retracted as cancelled"})):
        if kinds & events:
            return state
    return "breached" if "breached" in kinds else "open" if "opened" in kinds else "nothing"


def _never_opened(expected: Expected, persons: Persons, record: Record) -> Finding:
    seen = "opened" in record.announced.get(expected.window_id, frozenset())
    over = ended_at(expected, reports(expected, persons), record.tolerance)
    if expected.unchecked:
        found = finding_on(expected, "not checked", why=expected.unchecked)
    elif not seen and over is not None and over.at <= expected.opened_at:
        # The monitor may have read the end first or the assignment; neither leaves a promise that runs.
        return finding_on(expected, "right", "nothing", "never opened", f"{over.kind} at {written(over.at)}")
    elif not seen and record.now < expected.opened_at + _OPENS_WITHIN:
        found = finding_on(expected, "undecided", "open", "not there yet")
    elif not seen and (expected.perhaps or any("opened" in record.announced.get(e, ()) for e in expected.instead)):
        found = finding_on(expected, "right", "nothing", "never opened", _ELSEWHERE)
    elif seen and expected.due_at < record.now - _TRIMMED_AFTER:
        found = finding_on(expected, "not checked", why="the monitor's record of it was trimmed")
    else:
        why = f"owed since {written(expected.opened_at)}"
        found = finding_on(expected, "different", "a window", "announced, not stored" if seen else "never opened", why)
    return msgspec.structs.replace(found, missing=True)


def _unexpected(window: FoundWindow, persons: Persons, record: Record) -> Finding:
    if window.side not in ("sales", "operations"):
        return finding_on(window, "not checked", why=f"a promise of {window.side}")
    decisions = persons.decisions.get(window.lead_id, [])
    generations = {getattr(event, "generation", None) for event in decisions}
    if window.generation and window.generation not in generations:
        if record.now < window.opened_at + _OPENS_WITHIN:
            return finding_on(window, "undecided", why="its assignment is not read yet")
        return finding_on(window, "not checked", why="the assignment is not in the timeline any more")
    gone = not window.generation and not decisions
    if gone:
        return finding_on(window, "not checked", why="the lead is not in the timeline any more")
    return finding_on(window, "different", "no window", window.state, "nothing that was decided calls for it")


def finding_on(
    each: Expected | FoundWindow,
    status: Status,
    expected: str = "",
    found: str = "",
    why: str = "",
    *,
    late: bool = False,
) -> Finding:
    """What there is to say about a promise."""
    return Finding(
        status=status,
        window_id=each.window_id,
        lead_id=each.lead_id,
        promise=each.promise if isinstance(each.promise, str) else each.promise.name,
        owner=each.owner,
        due_at=each.due_at,
        expected=expected,
        found=found,
        why=why,
        late=late,
    )

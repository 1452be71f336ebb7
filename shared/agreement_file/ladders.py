"""Ladders and promises: every promise has a ladder, and every ladder ends with somebody who knows."""

from collections.abc import Collection, Mapping, Sequence

from shared.agreement_file.findings import Findings, Path
from shared.agreement_file.schema import FirstResponse, StepBlock
from shared.agreement_file.values import UNIT_S
from shared.domain.agreement import Agreement, Duration, Ladder, Promise, Step


def ladders_of(blocks: Mapping[str, Sequence[StepBlock]], findings: Findings) -> dict[str, Ladder]:
    """All ladders of the file. Refuses those that tell nobody, and steps that do nothing or stand in wrong order."""
    return {name: _ladder(name, blocks[name], findings) for name in blocks}


def promise_of(block: FirstResponse, ladders: Collection[str] | None, findings: Findings) -> Promise:
    """The promise of a first response, its durations on its clock. `ladders` are the known names, None if unsure."""
    path: Path = ("promises", "sales", "first_response")
    if ladders is not None and block.ladder not in ladders:
        findings.refuse_unknown((*path, "ladder"), "ladder", block.ladder, ladders)
    otherwise = block.otherwise.within if block.otherwise else None
    if block.when and otherwise is None:
        least = block.when.score.at_least
        findings.warn(
            (*path, "when"), "no_otherwise", f"leads below {least} have no promised response: add `otherwise`", key=True
        )
    if otherwise and block.when is None:
        without = "`otherwise` has no `when` before it: remove it, or add `when: {score: {at_least: 80}}`"
        findings.refuse((*path, "otherwise"), "unreachable", without, key=True)
    return Promise(
        name="first_response",
        within=_on_clock(block.within, block.clock, (*path, "within"), findings),
        met_by=tuple(block.met_by),
        ladder=block.ladder,
        clock=block.clock,
        at_least_score=block.when.score.at_least if block.when else None,
        otherwise=_on_clock(otherwise, block.clock, (*path, "otherwise", "within"), findings) if otherwise else None,
    )


def check_escalation(promise: Promise, agreement: Agreement, findings: Findings) -> None:
    """What only the promise, its ladder and the members of the pools together can tell."""
    ladder = agreement.ladders[promise.ladder]
    path: Path = ("ladders", ladder.name)
    told = {role for step in ladder.steps for role in step.tell}
    members = {member for pool in agreement.pools.values() for member in pool.members}
    people = (agreement.people.get(member) for member in members)
    alone = sorted(person.id for person in people if person is not None and person.reports_to is None)
    if "manager" in told and alone:
        whose = f"the manager is told, but {', '.join(alone)} can own leads without a `reports_to`"
        report = findings.refuse if told == {"manager"} else findings.warn
        report(path, "no_manager", f"{whose}: add it", key=True)
    shortest = min(length.seconds for length in (promise.within, promise.otherwise) if length)
    for index, step in enumerate(ladder.steps):
        at: Path = (*path, index, "at")
        if step.business and promise.clock == "wall":
            findings.refuse(at, "clock", f"`{promise.name}` runs on the wall clock: leave out `business` here")
        if -step.after_s >= shortest and step.business is promise.within.business:
            findings.warn(at, "too_early", f"this is no later than the start of `{promise.name}`, so it fires at once")
    for pool in agreement.pools.values():
        if len(pool.members) == 1 and any(step.move_within for step in ladder.steps):
            nobody = f"ladder `{ladder.name}` moves leads within their pool, but `{pool.name}` has one member"
            findings.warn(("pools", pool.name), "nowhere_to_move", nobody, key=True)


def _on_clock(written: Duration, clock: str, path: Path, findings: Findings) -> Duration:
    if clock == "wall" and written.business:
        findings.refuse(path, "clock", f"`{written.text}` needs `clock: rep_calendar`, but the clock is `wall`")
    if clock == "rep_calendar" and not written.business and written.text.rstrip("s").endswith("day"):
        hours = written.seconds // UNIT_S["hour"]
        way = f"write `{hours} hours` if you mean so many working hours, or take `clock: wall`"
        findings.refuse(
            path, "clock", f"`{written.text}` on the rep's calendar could mean 24 hours or a workday: {way}"
        )
    return Duration(written.seconds, clock == "rep_calendar", written.text)


def _ladder(name: str, blocks: Sequence[StepBlock], findings: Findings) -> Ladder:
    path: Path = ("ladders", name)
    steps: list[Step] = []
    repeats, every_s = 0, 0
    for index, block in enumerate(blocks):
        here: Path = (*path, index)
        if block.repeat is not None or block.every is not None:
            repeats, every_s = _repeat(block, here, findings)
            if index != len(blocks) - 1 or not steps:
                findings.refuse(here, "unreachable", "`repeat` repeats the step before it: put it last, after a step")
        else:
            steps.append(_step(block, len(steps) + 1, here, findings))
    if not any(step.tell or step.page for step in steps):
        findings.refuse(path, "tells_nobody", f"ladder `{name}` tells nobody: add a step with `tell: [rep]`", key=True)
    _check_order(steps, path, findings)
    return Ladder(name, tuple(steps), repeats, every_s)


def _step(block: StepBlock, level: int, path: Path, findings: Findings) -> Step:
    if "at" not in block.model_fields_set:
        findings.refuse(path, "missing", "the step has no `at`: say when, counted from the deadline, like `-5 minutes`")
    if not (block.tell or block.move or block.page):
        findings.refuse(path, "does_nothing", "the step does nothing: add `tell`, `move` or `page`")
    at = block.at or Duration(0)
    return Step(
        level=level,
        after_s=at.seconds,
        business=at.business,
        tell=tuple(block.tell),
        page=block.page,
        move_within=block.move.within if block.move else None,
        if_unanswered=block.if_ is not None,
    )


def _repeat(block: StepBlock, path: Path, findings: Findings) -> tuple[int, int]:
    if block.model_fields_set - {"repeat", "every"}:
        findings.refuse(path, "wrong_value", "`repeat` stands alone in its step, with `every`: put the rest before it")
    if block.repeat is None or block.every is None:
        findings.refuse(path, "missing", "`repeat` and `every` go together: {repeat: 2 times, every: 30 minutes}")
        return 0, 0
    if block.every.business:
        findings.refuse((*path, "every"), "not_built", "business time between repeats is not built yet: use minutes")
    return block.repeat, block.every.seconds


def _check_order(steps: Sequence[Step], path: Path, findings: Findings) -> None:
    # Business and wall time can only be compared for a given calendar, so each kind is held against its own.
    for business in (False, True):
        last_s: int | None = None
        for index, step in enumerate(steps):
            if step.business is business:
                if last_s is not None and step.after_s < last_s:
                    findings.refuse((*path, index, "at"), "order", "steps go in order of time: put this one earlier")
                last_s = step.after_s

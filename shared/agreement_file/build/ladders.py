"""Ladders: every promise has one, and every ladder ends with someone who knows."""

from collections.abc import Collection, Mapping, Sequence

from shared.agreement_file.schema.promise_schema import StepBlock
from shared.agreement_file.text.findings import Findings, Path
from shared.agreement_file.text.values import LONGEST_S
from shared.domain.agreement import Agreement, Commitment, Duration, Ladder, Promise, Step
from shared.domain.calendar import DAY_S

_PAGED = ("ops",)
"""Whom a step pages that names no one."""

MAX_STEPS = 50
"""How many steps a ladder has at most. With its repeats and the wait after the last one it takes at most `LONGEST_S`:
for so long calendars are searched for the next opening.
"""


def ladders_of(blocks: Mapping[str, Sequence[StepBlock]], findings: Findings) -> dict[str, Ladder]:
    """All ladders of the file. Refuses ladders that notify no one, and steps that do nothing or are out of order."""
    return {name: _ladder(name, blocks[name], findings) for name in blocks}


def check_escalations(agreement: Agreement, findings: Findings) -> None:
    """Checks that need the promises, their ladders and the people together."""
    members = {member for pool in agreement.pools.values() for member in pool.members}
    owners = {queue.owner for queue in agreement.queues.values()}
    for promise in agreement.promises.values():
        if promise.ladder in agreement.ladders:
            _check_managers(agreement.ladders[promise.ladder], members, agreement, findings)
            _check_steps(promise, agreement, findings)
    for promise in agreement.operations.values():
        ladder = agreement.ladders.get(promise.ladder)
        if ladder and any(step.move_within for step in ladder.steps):
            stays = f"`{promise.name}` climbs ladder `{ladder.name}`, but no lead moves for a promise of operations"
            findings.warn(("ladders", ladder.name), "never_moves", stays, key=True)
        if ladder and promise.name == "hand_off" and _roles(ladder) & {"rep", "manager"}:
            nobody = "no rep has the lead yet: tell `ops`, or another role that is on duty"
            findings.refuse(("promises", "operations", "hand_off", "ladder"), "wrong_value", nobody)
        # A dispute is answered by the rep who rejected, a parked lead is seen to by the owner of the queue.
        if ladder and promise.name == "disputes":
            _check_managers(ladder, members, agreement, findings)
        elif ladder and _roles(ladder) == {"manager"}:
            _check_managers(ladder, owners, agreement, findings)
    for commitment in agreement.commitments.values():
        _check_commitment(commitment, agreement, findings)


def _check_managers(ladder: Ladder, owners: Collection[str], agreement: Agreement, findings: Findings) -> None:
    roles = _roles(ladder)
    people = (agreement.people.get(owner) for owner in owners)
    alone = sorted(person.id for person in people if person is not None and person.reports_to is None)
    if "manager" in roles and alone:
        whose = f"the manager is told, but {', '.join(alone)} can own leads without a `reports_to`"
        report = findings.refuse if roles == {"manager"} else findings.warn
        report(("ladders", ladder.name), "no_manager", f"{whose}: add it", key=True)


def _roles(ladder: Ladder) -> set[str]:
    return {role for step in ladder.steps for role in step.tell}


def _check_steps(promise: Promise, agreement: Agreement, findings: Findings) -> None:
    ladder = agreement.ladders[promise.ladder]
    path: Path = ("ladders", ladder.name)
    lengths = [promise.within, *(segment.within for segment in promise.segments)]
    for index, step in enumerate(ladder.steps):
        at: Path = (*path, index, "at")
        if step.business and promise.clock == "wall":
            findings.refuse(at, "clock", f"`{promise.name}` runs on the wall clock: leave out `business` here")
        same = [length.seconds for length in lengths if length.business is step.business and not length.days]
        if step.after_s < 0 and same and -step.after_s >= min(same):
            findings.warn(at, "too_early", f"this is no later than the start of `{promise.name}`, so it fires at once")
    moves = any(step.move_within for step in ladder.steps)
    for pool in agreement.pools.values():
        if len(pool.members) == 1 and moves:
            nobody = f"ladder `{ladder.name}` moves leads within their pool, but `{pool.name}` has one member"
            findings.warn(("pools", pool.name), "nowhere_to_move", nobody, key=True)
    if promise.name == "acceptance" and not moves:
        stays = f"`acceptance` runs out without the lead moving on: add a step with `move` to ladder `{ladder.name}`"
        findings.warn(path, "never_moves", stays, key=True)


def _check_commitment(commitment: Commitment, agreement: Agreement, findings: Findings) -> None:
    ladder = agreement.ladders.get(commitment.ladder)
    if ladder and not any(step.page or set(step.tell) - {"rep", "manager"} for step in ladder.steps):
        nobody = f"a commitment has no rep, so ladder `{ladder.name}` tells nobody: tell marketing_lead and sales_lead"
        findings.refuse(("promises", "marketing", commitment.measure, "ladder"), "tells_nobody", nobody)


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
    _check_bounds(steps, (repeats + 1) * every_s, path, findings)
    return Ladder(name, tuple(steps), repeats, every_s)


def _step(block: StepBlock, level: int, path: Path, findings: Findings) -> Step:
    if "at" not in block.model_fields_set:
        findings.refuse(path, "missing", "the step has no `at`: say when, counted from the deadline, like `-5 minutes`")
    if not (block.tell or block.move or block.page):
        findings.refuse(path, "does_nothing", "the step does nothing: add `tell`, `move` or `page`")
    at = block.at or Duration(0)
    if at.days < 0:
        before = "steps before the deadline are not counted in business days: write hours, like `-8 business hours`"
        findings.refuse((*path, "at"), "wrong_value", before)
    return Step(
        level=level,
        after_s=at.seconds,
        business=at.business,
        after_days=at.days,
        tell=tuple(block.tell) or _PAGED * block.page,
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


def _check_bounds(steps: Sequence[Step], repeats_s: int, path: Path, findings: Findings) -> None:
    if len(steps) > MAX_STEPS:
        many = f"a ladder has at most {MAX_STEPS} steps, not {len(steps)}: nobody follows more"
        findings.refuse(path, "too_many", many, key=True)
    last_s = max((step.after_s + step.after_days * DAY_S for step in steps), default=0)
    if last_s + repeats_s > LONGEST_S:
        long = "with its repeats this ladder takes more than a year: calendars are not known for longer"
        findings.refuse(path, "too_long", long, key=True)


def _check_order(steps: Sequence[Step], path: Path, findings: Findings) -> None:
    # Days, business time and wall time can only be compared for a given calendar, so each is compared with its own
    # kind.
    last: dict[tuple[bool, bool], int] = {}
    for index, step in enumerate(steps):
        kind, after = (step.business, bool(step.after_days)), step.after_days or step.after_s
        if after < last.get(kind, after):
            findings.refuse((*path, index, "at"), "order", "steps go in order of time: put this one earlier")
        last[kind] = after

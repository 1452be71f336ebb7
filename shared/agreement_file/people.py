"""People, pools and routing of the file: every lead has a way to somebody who can work on it."""

from collections.abc import Collection, Mapping, Sequence

from shared.agreement_file.conditions import ConditionReader
from shared.agreement_file.findings import Findings, Path
from shared.agreement_file.schema import PersonBlock, PoolBlock, RouteBlock
from shared.domain.agreement import Person, Pool, Route
from shared.domain.calendar import Calendar
from shared.domain.conditions import Condition


def people_of(
    blocks: Sequence[PersonBlock], known: Collection[str] | None, calendars: Mapping[str, Calendar], findings: Findings
) -> dict[str, Person]:
    """Everybody by id. Refuses ids and addresses that are given twice, and unknown calendars and managers.

    `known` are the names of all calendars, also of those that could not be made; None when that isn't known.
    """
    people: dict[str, Person] = {}
    emails: set[str] = set()
    ids = [block.id for block in blocks]
    for index, block in enumerate(blocks):
        path: Path = ("people", index)
        if block.id in people:
            findings.refuse((*path, "id"), "duplicate", f"`{block.id}` is listed twice: keep one")
        if block.email in emails:
            findings.refuse((*path, "email"), "duplicate", "somebody else has this address: give each their own")
        if block.calendar is not None and known is not None and block.calendar not in known:
            findings.refuse_unknown((*path, "calendar"), "calendar", block.calendar, known)
        if block.reports_to == block.id:
            findings.refuse((*path, "reports_to"), "wrong_value", f"`{block.id}` can't report to themselves")
        elif block.reports_to is not None and block.reports_to not in ids:
            findings.refuse_unknown((*path, "reports_to"), "person", block.reports_to, ids)
        emails.add(block.email)
        people[block.id] = Person(
            id=block.id,
            email=block.email,
            calendar=calendars.get(block.calendar or ""),
            languages=tuple(block.languages),
            reports_to=block.reports_to,
            role=block.role,
        )
    return people


def pools_of(
    blocks: Mapping[str, PoolBlock], people: Sequence[PersonBlock] | None, findings: Findings
) -> dict[str, Pool]:
    """All pools. Refuses empty ones, weights below 1, and members who are unknown or have no calendar.

    With `people` None (they were refused) members are not looked up.
    """
    calendars = None if people is None else {person.id: person.calendar for person in people}
    for name, block in blocks.items():
        path: Path = ("pools", name, "members")
        if not block.members:
            findings.refuse(
                path, "empty_pool", f"pool `{name}` is empty: a lead sent there would reach nobody", key=True
            )
        for member, weight in block.members.items():
            if weight < 1:
                no_turns = f"`{member}` has weight {weight} and would get no lead: write 1 or more, or leave them out"
                findings.refuse((*path, member), "weight", no_turns)
            if calendars is not None and member not in calendars:
                findings.refuse_unknown((*path, member), "person", member, calendars, key=True)
            elif calendars is not None and calendars[member] is None:
                idle = f"`{member}` has no calendar: give them one under `people`, or they can't get leads"
                findings.refuse((*path, member), "no_calendar", idle, key=True)
    return {
        name: Pool(
            name, dict(block.members), block.when_nobody_available.park_in if block.when_nobody_available else None
        )
        for name, block in blocks.items()
    }


def routing_of(
    blocks: Sequence[RouteBlock], pools: Mapping[str, PoolBlock] | None, reader: ConditionReader
) -> tuple[Route, ...]:
    """The rules in order. Refuses unknown pools, rules that can't be reached, and an end that drops leads."""
    findings = reader.findings
    routes: list[Route] = []
    seen: dict[Condition, str] = {}
    open_end: str | None = None
    for index, block in enumerate(blocks):
        path: Path = ("routing", index)
        if pools is not None and block.to.pool not in pools:
            findings.refuse_unknown((*path, "to", "pool"), "pool", block.to.pool, pools)
        if block.name in {route.name for route in routes}:
            findings.refuse(
                (*path, "name"), "duplicate", f"another rule is called `{block.name}`: give each its own name"
            )
        when = reader.read(block.when, (*path, "when"))
        if open_end is not None:
            taken = f"`{open_end}` before it has no `when` and takes every lead: move it to the end"
            findings.refuse(path, "unreachable", f"rule `{block.name}` is never reached: {taken}")
        elif when is not None and when in seen:
            same = f"`{seen[when]}` before it has the same condition: remove one"
            findings.refuse(path, "unreachable", f"rule `{block.name}` is never reached: {same}")
        if "when" not in block.model_fields_set:
            open_end = open_end or block.name
        elif when is not None:
            seen.setdefault(when, block.name)
        routes.append(Route(block.name, block.to.pool, when))
    if blocks and open_end is None:
        dropped = "leads that no rule matches would be dropped: end with a rule without `when`"
        findings.refuse(("routing", len(blocks) - 1), "no_last_rule", dropped)
    return tuple(routes)


def check_use(
    people: Sequence[PersonBlock], pools: Mapping[str, PoolBlock], routing: Sequence[RouteBlock], findings: Findings
) -> None:
    """Warns of pools and people that no lead can reach."""
    used = {block.to.pool for block in routing}
    for name in pools:
        if name not in used:
            findings.warn(("pools", name), "unused", f"no rule sends leads to pool `{name}`", key=True)
    working = {member for pool in pools.values() for member in pool.members}
    working |= {person.reports_to for person in people if person.reports_to is not None}
    for index, person in enumerate(people):
        if person.id not in working:
            unused = f"`{person.id}` is in no pool and nobody reports to them"
            findings.warn(("people", index, "id"), "unused", unused)

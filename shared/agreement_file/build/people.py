"""People, pools and queues of the file. Ensures that members can take leads and that queues have owners."""

from collections.abc import Collection, Mapping, Sequence

from shared.agreement_file.schema.agreement_schema import PersonBlock, PoolBlock, QueueBlock
from shared.agreement_file.text.block import MAX_WEIGHT
from shared.agreement_file.text.findings import Findings, Path
from shared.domain.agreement import OnLeave, Person, Pool, Queue
from shared.domain.calendar import Calendar


def people_of(
    blocks: Sequence[PersonBlock],
    known: Collection[str] | None,
    calendars: Mapping[str, Calendar],
    findings: Findings,
    *,
    on_leave: OnLeave = "pause",
) -> dict[str, Person]:
    """All people by id. Refuses duplicate ids and addresses, unknown calendars and managers, reporting cycles, and
    deputies who can't have leads.

    `known` are the names of all calendars, including invalid ones; None if they could not be read. `on_leave` is for
    people who have none of their own.
    """
    people: dict[str, Person] = {}
    emails: set[str] = set()
    ids = {block.id: None for block in blocks}
    findings.refuse_repeated((block.id for block in blocks), ("people",), "id")
    for index, block in enumerate(blocks):
        path: Path = ("people", index)
        if block.email in emails:
            findings.refuse((*path, "email"), "duplicate", "someone else has this address: give each their own")
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
            skills=tuple(block.skills),
            territories=tuple(block.territories),
            reports_to=block.reports_to,
            role=block.role,
            max_open=block.max_open,
            max_new_per_day=block.max_new_per_day,
            active=block.active,
            deputy=block.deputy,
            on_leave=block.on_leave or on_leave,
        )
    _check_circles(blocks, findings)
    _check_deputies(blocks, people, findings)
    return people


def _check_deputies(blocks: Sequence[PersonBlock], people: Mapping[str, Person], findings: Findings) -> None:
    by_id = {block.id: block for block in blocks}
    for index, block in enumerate(blocks):
        path: Path = ("people", index, "deputy")
        if block.deputy is None:
            continue
        deputy = by_id.get(block.deputy)
        if deputy is None:
            findings.refuse_unknown(path, "person", block.deputy, by_id)
        elif deputy.id == block.id:
            findings.refuse(path, "wrong_value", f"`{block.id}` can't be their own deputy")
        elif deputy.calendar is None:
            findings.refuse(path, "no_calendar", f"`{deputy.id}` has no calendar and can't get leads: give them one")
        elif not deputy.active:
            findings.refuse(path, "inactive", f"`{deputy.id}` is not active and gets no leads: name someone else")
        elif people[block.id].on_leave == "pause":
            unused = "a deputy gets leads only with `on_leave: move`; with `pause` they wait for their owner"
            findings.warn(path, "unused", unused, key=True)


def _check_circles(blocks: Sequence[PersonBlock], findings: Findings) -> None:
    above = {block.id: block.reports_to for block in blocks if block.reports_to not in (None, block.id)}
    places = {block.id: index for index, block in enumerate(blocks)}
    seen: set[str] = set()
    for start in above:
        way: dict[str, int] = {}
        person: str | None = start
        while person is not None and person not in seen:
            seen.add(person)
            way[person] = len(way)
            person = above.get(person)
        if person in way:
            _refuse_circle(list(way)[way[person] :], places, findings)


def _refuse_circle(circle: list[str], places: Mapping[str, int], findings: Findings) -> None:
    """Refuse it at its first person in the file."""
    first = min(range(len(circle)), key=lambda index: places[circle[index]])
    name, *others = circle[first:] + circle[:first]
    managers = ", who reports to ".join(f"`{each}`" for each in (*others, name))
    what = f"`{name}` reports to {managers}: someone has to be at the top"
    findings.refuse(("people", places[name], "reports_to"), "circle", what)


def pools_of(
    blocks: Mapping[str, PoolBlock], people: Sequence[PersonBlock] | None, queues: Collection[str], findings: Findings
) -> dict[str, Pool]:
    """All pools. Refuses pools without an active member, weights below 1, unknown members, and queues that are not
    declared, if `queues` exists.

    With `people` None (they were refused) members are not looked up. The default queue has the pool's name.
    """
    known = None if people is None else {person.id: person for person in people}
    pools = {}
    for name, block in blocks.items():
        _check_members(name, block, known, findings)
        parking = block.when_nobody_available
        if parking and queues and parking.park_in not in queues:
            path: Path = ("pools", name, "when_nobody_available", "park_in")
            findings.refuse_unknown(path, "queue", parking.park_in, queues)
        park_in = parking.park_in if parking else name
        pools[name] = Pool(name, dict(block.members), block.strategy, block.only_in_hours, park_in)
    return pools


def _check_members(name: str, block: PoolBlock, people: Mapping[str, PersonBlock] | None, findings: Findings) -> None:
    path: Path = ("pools", name, "members")
    if not block.members:
        findings.refuse(path, "empty_pool", f"pool `{name}` is empty: a lead sent there would reach nobody", key=True)
    for member, weight in block.members.items():
        if weight < 1:
            no_turns = f"`{member}` has weight {weight} and would get no lead: write 1 or more, or leave them out"
            findings.refuse((*path, member), "weight", no_turns)
        elif weight > MAX_WEIGHT:
            findings.refuse(
                (*path, member), "weight", f"`{member}` should have weight {MAX_WEIGHT} or less, not {weight}"
            )
        if people is not None and member not in people:
            findings.refuse_unknown((*path, member), "person", member, people, key=True)
        elif people is not None and people[member].calendar is None:
            always = f"`{member}` has no calendar, so their time runs day and night: give them one under `people`"
            findings.warn((*path, member), "no_calendar", always, key=True)
    active = [member for member in block.members if people is None or member not in people or people[member].active]
    if block.members and not active:
        nobody = f"nobody in pool `{name}` is active: a lead sent there would reach nobody"
        findings.refuse(path, "empty_pool", nobody, key=True)


def queues_of(
    blocks: Mapping[str, QueueBlock],
    pools: Mapping[str, Pool],
    people: Mapping[str, Person],
    findings: Findings,
) -> dict[str, Queue]:
    """The queues of the `pools`, and the declared ones. Refuses owners who are unknown or not active.

    The default owner is the manager of the first member of the queue's first pool who has one, or else that pool's
    first member.
    """
    queues: dict[str, Queue] = {}
    for name, block in blocks.items():
        path: Path = ("queues", name)
        owner = _default_owner(name, pools, people) if block.owner is None else block.owner
        if block.owner is not None and people and block.owner not in people:
            findings.refuse_unknown((*path, "owner"), "person", block.owner, people)
        elif people and block.owner is not None and not people[block.owner].active:
            gone = f"`{block.owner}` is not active: leads in queue `{name}` would wait for nobody"
            findings.refuse((*path, "owner"), "inactive", gone)
        if all(pool.park_in != name for pool in pools.values()):
            findings.warn(path, "unused", f"nothing uses `{name}`", key=True)
        queues[name] = Queue(name, owner)
    for pool in pools.values():
        if pool.park_in not in queues:
            queues[pool.park_in] = Queue(pool.park_in, _default_owner(pool.park_in, pools, people))
    return queues


def _default_owner(queue: str, pools: Mapping[str, Pool], people: Mapping[str, Person]) -> str:
    pool = next((pool for pool in pools.values() if pool.park_in == queue), None)
    members = [people[member] for member in (pool.members if pool else ()) if member in people]
    managers = [person.reports_to for person in members if person.reports_to is not None]
    first = next(iter(members or people.values()), None)
    return managers[0] if managers else first.id if first else ""

"""What changed in people, pools, queues and routing."""

from collections.abc import Callable, Iterator
from itertools import chain

from shared.agreement_text.diff.comparison import (
    by_name,
    conditions,
    durations,
    keyed,
    membership,
    moved,
    reads,
    titled,
)
from shared.agreement_text.phrases import listed, quoted, spaced, whole_percent
from shared.agreement_text.sentences import destination, limits, route_in_words
from shared.agreement_text.terms import on_leave, strategy
from shared.domain.agreement import Agreement, Person, Pool, Queue, Route


def people(old: Agreement, new: Agreement) -> Iterator[str]:
    """Who joined, who left, and what changed for the others."""
    return keyed(
        old.people,
        new.people,
        lambda name, person: f"{name} joins as {spaced(person.role)}, limits: {limits(person)}",
        lambda name, _: f"{name} leaves",
        lambda name, was, now: (f"{name}: {news}" for news in _person(was, now)),
    )


def pools(old: Agreement, new: Agreement) -> Iterator[str]:
    """Members, weights and shares, and how a pool chooses."""
    return keyed(
        old.pools,
        new.pools,
        lambda name, pool: f"pool {quoted(name)} is new, with {listed(pool.members)}, {strategy(pool.strategy)}",
        lambda name, _: f"pool {quoted(name)} is gone",
        lambda name, was, now: titled("pool", name, _pool(was, now)),
    )


def queues(old: Agreement, new: Agreement) -> Iterator[str]:
    """Where leads wait, and who sees to it."""

    def owner(name: str, was: Queue, now: Queue) -> Iterator[str]:
        yield from reads(f"the name of queue {quoted(name)}", was.name, now.name)
        yield from reads(f"the owner of queue {quoted(name)}", was.owner, now.owner, nothing="nobody")

    return keyed(
        old.queues,
        new.queues,
        lambda name, queue: f"queue {quoted(name)} is new; {queue.owner or 'nobody'} sees to it",
        lambda name, _: f"queue {quoted(name)} is gone",
        owner,
    )


def routing(old: Agreement, new: Agreement) -> Iterator[str]:
    """Rules that came, went, moved, or send other leads elsewhere."""
    was, now = (by_name(one.routing, lambda route: route.name) for one in (old, new))
    yield from keyed(
        was,
        now,
        lambda _, route: f"new rule {route_in_words(route).rstrip('.')}",
        lambda name, _: f"rule {quoted(name)} is gone",
        lambda name, before, after: chain(
            conditions(f"rule {quoted(name)}", before.when, after.when), titled("rule", name, _route(before, after))
        ),
    )
    for name, before in moved(was, now):
        yield f"rule {quoted(name)} is now asked {'before ' + quoted(before) if before else 'last'}"


def _person(was: Person, now: Person) -> Iterator[str]:
    yield from reads("the id", was.id, now.id)
    yield from reads("the e-mail address", was.email, now.email)
    yield from reads("the calendar", _hours(was), _hours(now), nothing="none")
    yield from membership("languages", was.languages, now.languages)
    yield from membership("skills", was.skills, now.skills)
    yield from membership("territories", was.territories, now.territories)
    yield from reads("who they report to", was.reports_to, now.reports_to, nothing="nobody")
    yield from reads("the deputy", was.deputy, now.deputy, nothing="nobody")
    yield from reads("what happens to their leads during leave", was.on_leave, now.on_leave, on_leave)
    yield from reads("the role", was.role, now.role, spaced)
    yield from reads("the most open leads at once", was.max_open, now.max_open, nothing="without a limit")
    yield from reads("the most new leads a day", was.max_new_per_day, now.max_new_per_day, nothing="without a limit")
    if was.active != now.active:
        yield "is active again" if now.active else "gets no more leads, and those held move on"


def _hours(person: Person) -> str | None:
    return person.calendar.name if person.calendar else None


def _pool(was: Pool, now: Pool) -> Iterator[str]:
    before, after = sum(was.members.values()), sum(now.members.values())
    yield from keyed(
        was.members,
        now.members,
        lambda name, weight: f"{name} joins with weight {weight}, a share of {whole_percent(weight, after)}",
        lambda name, weight: f"{name} leaves, who had a share of {whole_percent(weight, before)}",
        _member(before, after),
    )
    yield from reads("its name", was.name, now.name)
    yield from reads("how the next member is chosen", was.strategy, now.strategy, strategy)
    if was.only_in_hours != now.only_in_hours:
        yield "members take leads " + ("only in their working hours" if now.only_in_hours else "at any hour")
    yield from reads("where leads wait when nobody can take them", was.park_in, now.park_in, nothing="no queue")


def _member(before: int, after: int) -> Callable[[str, int, int], Iterator[str]]:
    def stayed(name: str, was: int, now: int) -> Iterator[str]:
        shares = whole_percent(was, before), whole_percent(now, after)
        moves = f"share from {shares[0]} to {shares[1]}" if shares[0] != shares[1] else f"share stays {shares[1]}"
        if was != now:
            yield f"{name}'s weight goes from {was} to {now}, the {moves}"
        elif shares[0] != shares[1]:
            yield f"{name}'s {moves.replace('share from', 'share goes from')}"

    return stayed


def _route(was: Route, now: Route) -> Iterator[str]:
    yield from reads("its name", was.name, now.name)
    # How long an owner may be away has its own sentence, unless the way there is another one altogether.
    if (was.pool, was.owner, was.only) != (now.pool, now.owner, now.only):
        yield f"the lead now goes to {destination(now)} (was to {destination(was)})"
    else:
        yield from durations("the longest absence of the owner", was.unless_away_for, now.unless_away_for)

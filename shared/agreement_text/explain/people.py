"""People and their limits, pools with everyone's share, queues, and routing in its order, in sentences."""

from collections.abc import Iterator

from shared.agreement_text.phrases import listed, spaced, whole_percent
from shared.agreement_text.section import Section, Table
from shared.agreement_text.sentences import limits, route_in_words
from shared.agreement_text.terms import strategy
from shared.domain.agreement import Agreement, Person, Pool
from shared.domain.not_watched import MARK

_COLUMNS = ("Person", "Role", "Working hours", "Languages, skills, territories", "Limits", "Reports to")


def sections(agreement: Agreement) -> Iterator[Section]:
    """The sections from people to routing."""
    if agreement.people:
        yield _people(agreement)
    if agreement.pools:
        yield _pools(agreement)
    if agreement.queues:
        waits = tuple(f"{owner} sees to it that no lead waits long in {name}." for name, owner in _queues(agreement))
        yield Section("Where leads wait", waits)
    if agreement.routing:
        rules = tuple(route_in_words(route) for route in agreement.routing)
        yield Section("Who gets a lead: the first rule that applies decides", rules, ordered=True)


def shares(pool: Pool) -> str:
    """Everyone's share of a pool in whole percents, in the order of the file."""
    total = sum(pool.members.values())
    return ", ".join(f"{member} {whole_percent(weight, total)}" for member, weight in pool.members.items())


def _queues(agreement: Agreement) -> Iterator[tuple[str, str]]:
    for queue in agreement.queues.values():
        parking = [pool.name for pool in agreement.pools.values() if pool.park_in == queue.name]
        where = (
            f"{queue.name} (from the {'pool' if len(parking) == 1 else 'pools'} {listed(parking)})"
            if parking
            else queue.name
        )
        yield where, queue.owner


def _people(agreement: Agreement) -> Section:
    everyone = agreement.people.values()
    members = {member for pool in agreement.pools.values() for member in pool.members}
    rows = tuple(
        (
            f"{person.id} ({person.email})",
            spaced(person.role),
            _hours(person, takes_leads=person.id in members),
            _knows(person),
            limits(person),
            person.reports_to or "–",
            _during_leave(person),
        )
        for person in everyone
    )
    unwatched = [f"“Role” is {MARK}."]
    inactive = [
        f"{person.id} is not active: no new leads, and those held move on." for person in everyone if not person.active
    ]
    return Section(
        "People and their limits",
        (*unwatched, *inactive),
        Table((*_COLUMNS, "Leads during leave"), rows),
    )


def _during_leave(person: Person) -> str:
    if person.on_leave == "pause":
        return "wait, and so do their clocks"
    return f"go to {person.deputy}, or else to others" if person.deputy else "go to others"


def _hours(person: Person, *, takes_leads: bool) -> str:
    if person.calendar:
        return person.calendar.name
    return "day and night" if takes_leads else "takes no leads"


def _knows(person: Person) -> str:
    return (
        "; ".join(", ".join(names) for names in (person.languages, person.skills, person.territories) if names) or "–"
    )


def _pools(agreement: Agreement) -> Section:
    rows = tuple((pool.name, shares(pool), strategy(pool.strategy), _nobody(pool)) for pool in agreement.pools.values())
    return Section(
        "Pools: people who share leads",
        ("Shares hold while everyone is there. Whoever is away earns no turns, and is not flooded when back.",),
        Table(("Pool", "Shares", "The next lead goes", "When nobody can take it"), rows),
    )


def _nobody(pool: Pool) -> str:
    waits = f"it waits in {pool.park_in}" if pool.park_in else "it waits"
    return f"{waits}; members take leads only in their working hours" if pool.only_in_hours else waits

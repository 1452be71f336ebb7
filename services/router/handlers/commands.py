"""Commands of people: move a lead, merge two, split one, put a rep on hold, set their days off."""

from collections.abc import Callable
from datetime import date, datetime
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from services.router.domain.availability import Hold, Leave, RepState, zone_of
from services.router.domain.lead import Lead
from services.router.domain.proof import ReassignReason
from services.router.domain.reassignment import agreement_for
from services.router.domain.routing import Routing
from services.router.domain.verdict import Verdict
from services.router.handlers.transaction import RoutingTransactions
from shared.domain.agreement import Agreement
from shared.domain.errors import Conflict, NotFound, Refused
from shared.domain.events import LeadAssigned
from shared.runtime.wakeup import WakeUp, wake


class Commands:
    """Carries out commands, each in its own transaction; `done` wakes the relay."""

    def __init__(self, transactions: RoutingTransactions, done: tuple[WakeUp, ...]) -> None:
        self._transactions = transactions
        self._done = done

    async def move(self, lead_id: str, reason: ReassignReason, sender: str) -> tuple[Lead, str | None]:
        """Move the lead to a rep, or to the next in a pool's rotation; returns the lead, and a warning if its new owner
        is away. People are named by id or e-mail address; if nobody is named, the API key `sender` decided.

        Raises `NotFound`, `Conflict` if the lead is neither assigned nor parked or no rep is available, `Refused` if
        the named rep cannot own it, or for an unknown person.
        """

        def move(routing: Routing) -> tuple[Lead, str | None] | None:
            moved = routing.move(lead_id, _with_ids(routing.agreement, reason, sender))
            return (moved.lead, _warning(routing.agreement, moved)) if moved is not None else None

        found = await self._transactions.run(move)
        wake(self._done)
        if found is None:
            raise Conflict(f"Nobody in {reason.to_pool} can have the lead now; it goes on waiting.")
        return found

    async def merge(self, lead_id: str, into: str, reason: ReassignReason, sender: str) -> Lead:
        """Let the lead go on as `into`, since both are of one person; returns that one. Who says so is named by id or
        e-mail address, else it is the API key `sender`.

        Raises `NotFound`, `Conflict` if they are one already, one is of tests only or only `lead_id` is still open, and
        `Refused` for an unknown person.
        """
        lead = await self._transactions.run(
            lambda routing: routing.merge(lead_id, into, _with_ids(routing.agreement, reason, sender))
        )
        wake(self._done)
        return lead

    async def split(self, lead_id: str, reason: ReassignReason, sender: str) -> Lead:
        """Let an id that became part of a lead be a lead of its own again; returns it. Who says so is named by id or
        e-mail address, else it is the API key `sender`.

        Raises `NotFound`, `Conflict` if it is part of no lead or its inquiries are no longer stored, and `Refused` for
        an unknown person.
        """
        lead = await self._transactions.run(
            lambda routing: routing.split(lead_id, _with_ids(routing.agreement, reason, sender))
        )
        wake(self._done)
        return lead

    async def hold(self, rep: str, *, until: datetime | None, by: str | None, sender: str, reason: str | None) -> str:
        """The rep gets no leads from now on, until `until` or until `release`; returns their id. Raises `NotFound`, and
        `Refused` if `by` is unknown or the hold is over already.
        """

        def change(routing: Routing, person: str, state: RepState) -> None:
            if until is not None and until <= routing.now:
                now = routing.now.isoformat(timespec="seconds")
                raise Refused(f"'until' is over: it is {now} now. Give an instant to come.", pointer="/until")
            who = _decided_by(routing.agreement, by, sender)
            routing.set_absence(person, Hold(routing.now, until, who, reason), state.leave)

        return await self._change_absence(rep, change)

    async def release(self, rep: str) -> str:
        """End the rep's hold and assign parked leads; returns their id. Raises `NotFound`."""
        return await self._change_absence(
            rep, lambda routing, person, state: routing.set_absence(person, None, state.leave)
        )

    async def take_leave(self, rep: str, leave: tuple[Leave, ...]) -> str:
        """Replace the rep's days off; returns their id. Raises `NotFound`."""
        return await self._change_absence(
            rep, lambda routing, person, state: routing.set_absence(person, state.hold, leave)
        )

    async def zone_and_date(self, rep: str) -> tuple[ZoneInfo, date]:
        """The zone in which the rep's days begin and end, and the date there. Raises `NotFound`."""

        def look(routing: Routing) -> tuple[ZoneInfo, date]:
            person = next(
                each.people[found]
                for each in routing.agreement.with_drafts
                if (found := _known(routing.agreement, rep)) in each.people
            )
            return zone_of(person), routing.now.astimezone(zone_of(person)).date()

        return await self._transactions.run(look)

    async def _change_absence(self, rep: str, change: Callable[[Routing, str, RepState], None]) -> str:
        def change_known(routing: Routing) -> str:
            person = _known(routing.agreement, rep)
            change(routing, person, routing.state.state(person))
            return person

        person = await self._transactions.run(change_known)
        wake(self._done)
        return person


def _known(agreement: Agreement, rep: str) -> str:
    person = agreement.find_person(rep)
    if person is None:
        known = ", ".join(agreement.people)
        raise NotFound(f"Unknown person {rep!r}. The agreement has: {known}.")
    return person


def _warning(agreement: Agreement, moved: Verdict) -> str | None:
    """That the new owner is away, and what that means; None if they are not."""
    event = moved.event
    if not isinstance(event, LeadAssigned) or event.owner_away is None:
        return None
    away = f"{event.rep.id} is {event.owner_away}"
    if not any(each.starts_at <= event.assigned_at < each.ends_at for each in event.owner_leave):
        return f"{away}."
    deputy = agreement_for(agreement, moved.lead).people[event.rep.id].deputy
    return f"{away}; the clock waits." + (f" Their deputy is {deputy}." if deputy is not None else "")


def _with_ids(agreement: Agreement, reason: ReassignReason, sender: str) -> ReassignReason:
    to_rep = agreement.find_person(reason.to_rep) if reason.to_rep is not None else None
    return replace(reason, by=_decided_by(agreement, reason.by, sender), to_rep=to_rep or reason.to_rep)


def _decided_by(agreement: Agreement, by: str | None, sender: str) -> str:
    return agreement.person_id(by, pointer="/by") if by else sender

"""Leads that wait for an owner: for which pools someone can have one, when time alone will next make someone available,
and which leads wait for the same.
"""

from collections.abc import Iterator
from datetime import datetime

import msgspec

from services.router.domain.availability import free_at
from services.router.domain.lead import Lead
from services.router.domain.reassignment import agreement_for
from services.router.domain.routing_state import RoutingState
from shared.domain.agreement import Agreement


def pools_with_capacity(agreement: Agreement, routing: RoutingState, now: datetime) -> Iterator[str]:
    """Pools with parked leads and an available member, and pools that are no longer in the agreement, whose leads are
    routed again.
    """
    every = agreement.deciding
    for name, waiting in sorted(routing.waiting.items()):
        if waiting > 0:
            known = [(each, each.pools[name]) for each in every if name in each.pools]
            if not known or any(routing.candidates(each, pool, {}, now).available for each, pool in known):
                yield name


def next_available_at(agreement: Agreement, routing: RoutingState, now: datetime) -> datetime | None:
    """When time alone will next make someone available for a pool in which leads wait; None when it won't."""
    return min((available_at for _, available_at in available_times(agreement, routing, now)), default=None)


def available_times(agreement: Agreement, routing: RoutingState, now: datetime) -> Iterator[tuple[str, datetime]]:
    """For each pool in which leads wait, the instants after `now` at which time alone makes a member available."""
    for each in agreement.deciding:
        for name, pool in each.pools.items():
            if routing.waiting.get(name, 0) <= 0:
                continue
            for rep in pool.members:
                available_at = free_at(each.people[rep], routing.state(rep), pool, now)
                if available_at is not None and available_at > now:
                    yield name, available_at


class Rerouted(msgspec.Struct, frozen=True):
    """How far the parked leads have been routed again under another version: all of the pools before this one by name,
    and those of this pool up to `last`.
    """

    pool: str
    last: Lead


RoutingKey = tuple[str | None, str | None]


def routing_key(agreement: Agreement, lead: Lead) -> RoutingKey | None:
    """Pilot and rule of a parked lead: if it finds no rep, neither will others with the same key. None if that depends
    on the lead: on its facts, its previous owners, or because another version routed it.
    """
    under = agreement_for(agreement, lead)
    if lead.agreement.hash != under.hash or lead.last_rep is not None:
        return None
    if any(each.field is not None for route in under.routing if route.name == lead.rule for each in route.only):
        return None
    return lead.pilot, lead.rule

"""What people tell the router: move this lead, put this rep on hold, these are their days off."""

from datetime import datetime

import msgspec
from msgspec.structs import replace

from services.router.domain.availability import Hold, Leave, RepState
from services.router.domain.lead import HELD, Lead
from services.router.domain.proof import Ask
from services.router.handlers.hearing import move
from services.router.handlers.sitting import Sitting, Sittings
from services.router.handlers.waiting import drain
from services.router.store import leads as store
from shared.domain.errors import Conflict, NotFound
from shared.runtime.service import Signal


class Availability(msgspec.Struct, frozen=True):
    """An absence as the record keeps it: who, and how it stands from now on."""

    rep: str
    hold: Hold | None
    leave: tuple[Leave, ...]


class Orders:
    """Carries out what people ask for, each in a transaction of its own; `done` wakes those who announce it."""

    def __init__(self, sittings: Sittings, done: tuple[Signal, ...]) -> None:
        self._sittings = sittings
        self._done = done

    async def move(self, lead_id: str, ask: Ask) -> Lead:
        """Give the lead to a rep, or to whoever's turn it is in a pool; returns the lead afterwards.

        Raises `NotFound`, `Conflict` when the lead is in nobody's hands and does not wait, `Refused` when the one who
        is named can't have it.
        """
        async with self._sittings.database.begin() as tx, self._sittings.open(tx) as sitting:
            sitting.desk.know(await store.by_id(tx, {lead_id}))
            lead = sitting.desk.lead(lead_id)
            if lead is None:
                raise NotFound(f"There is no lead {lead_id!r}. Ids come with the answer to POST /v1/leads.")
            if lead.state not in HELD:
                raise Conflict(f"The lead is {lead.state}: only one that is assigned or parked can be moved.")
            moved = await move(tx, sitting, lead, ask)
            await drain(tx, sitting)
        self._wake()
        if moved is None:
            raise Conflict(f"Nobody in {ask.to_pool} can have the lead now; it goes on waiting.")
        return moved

    async def hold(self, rep: str, *, until: datetime | None, by: str | None, reason: str | None) -> None:
        """The rep gets no leads from now on, until `until` or until `release`. Raises `NotFound`."""
        async with self._sittings.database.begin() as tx, self._sittings.open(tx) as sitting:
            self._change(sitting, rep, hold=Hold(sitting.now, until, by, reason))
        self._wake()

    async def release(self, rep: str) -> None:
        """The rep can get leads again; those that waited for somebody are given out. Raises `NotFound`."""
        async with self._sittings.database.begin() as tx, self._sittings.open(tx) as sitting:
            self._change(sitting, rep, hold=None)
            await drain(tx, sitting)
        self._wake()

    async def take_leave(self, rep: str, leave: tuple[Leave, ...]) -> None:
        """These are the rep's days off, in place of those known before. Raises `NotFound`."""
        async with self._sittings.database.begin() as tx, self._sittings.open(tx) as sitting:
            self._change(sitting, rep, leave=leave)
            await drain(tx, sitting)
        self._wake()

    def _change(self, sitting: Sitting, rep: str, **changes: object) -> RepState:
        if not any(rep in agreement.people for agreement in sitting.agreement.with_drafts):
            known = ", ".join(sitting.agreement.people)
            raise NotFound(f"The agreement has no person {rep!r}. It has: {known}.")
        state = replace(sitting.desk.state(rep), **changes)
        sitting.desk.set_state(rep, state)
        sitting.note("availability", Availability(rep, state.hold, state.leave))
        return state

    def _wake(self) -> None:
        for signal in self._done:
            signal.set()

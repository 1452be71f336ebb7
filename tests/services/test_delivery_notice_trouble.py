"""Notices under an agreement that this release can't read, on both databases: they fail visibly, others are sent."""

import random
from datetime import timedelta
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from services.delivery.domain.due_notices import UNREADABLE
from services.delivery.domain.notice import Notice
from services.delivery.domain.notice_retry import Schedules
from services.delivery.domain.outcome import Outcome
from services.delivery.handlers.notices import NoticeHandlers
from services.delivery.store import tables
from services.delivery.store.notices import Grouping
from services.delivery.workers.dispatcher import Waiting
from services.delivery.workers.notice_sender import NoticeWork
from shared import agreement_file
from shared.agreements import store as agreements
from shared.db.engine import Database, Tx
from shared.db.tables import agreement_versions
from shared.domain.event import Recipient
from tests.kit import events
from tests.kit.agreements import agreement_text
from tests.kit.events import NINE, after, envelope, received
from tests.services.notices_kit import AGREEMENT, CHANNELS, raised

FUTURE = agreement_file.parse(agreement_text(within="20 minutes") + CHANNELS, "future.yaml").agreement
AT_ONCE = Grouping(interval_s=0, gather_s=0)


async def _taken(_notice: Notice, _kind: str, _settings: Any) -> Outcome:
    return Outcome("taken", "")


async def _unreadable(tx: Tx, monkeypatch: pytest.MonkeyPatch) -> None:
    """As another release stored it; nothing has it in memory."""
    digest = agreement_versions.c.hash == FUTURE.hash
    await tx.execute(sa.update(agreement_versions).where(digest).values(text="{from: 2031"))
    monkeypatch.setattr(agreements, "_loaded", {})


def under_future(lead: str, *to: Recipient) -> Any:
    return received(envelope(msgspec.structs.replace(raised(lead, *to), agreement=FUTURE.ref)))


async def test_a_message_that_can_not_be_made_fails_and_stops_no_other(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    handlers = NoticeHandlers(AT_ONCE)
    work = NoticeWork(send=_taken, grouping=AT_ONCE, schedules=Schedules(), fraction=random.random)
    async with database.begin() as tx:
        for each in (AGREEMENT, FUTURE):
            await agreements.save(tx, each, NINE)
        await handlers.on_escalations(tx, [under_future("ld_1"), received(envelope(raised("ld_2")))], NINE)
        await _unreadable(tx, monkeypatch)
    async with database.begin() as tx:
        rooms: list[tuple[Waiting[str], int]] = [(each, 8) for each in await work.waiting(tx)]
        jobs = [job for _, job in await work.claim(tx, rooms, after(1), after(1) + timedelta(seconds=60))]
        await work.record(tx, [(job, await work.attempt(job)) for job in jobs], after(1))
        found = await _states(tx)
    assert found == {"ld_1": ("failed", UNREADABLE), "ld_2": ("told", None)}


async def test_a_notice_that_is_due_under_it_fails_instead_of_being_passed_over(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with database.begin() as tx:
        await agreements.save(tx, FUTURE, NINE)
        await _unreadable(tx, monkeypatch)
        await NoticeHandlers(AT_ONCE).on_escalations(tx, [under_future("ld_1")], NINE)
        assert await _states(tx) == {"ld_1": ("failed", UNREADABLE)}


async def _states(tx: Tx) -> dict[str, tuple[str, str | None]]:
    notices = tables.notices
    rows = await tx.execute(sa.select(notices.c.lead_id, notices.c.state, notices.c.reason))
    return {row.lead_id: (row.state, row.reason) for row in rows}


async def test_what_is_known_of_a_lead_is_stored_until_its_promise_is_due(database: Database) -> None:
    leads = tables.leads
    handlers = NoticeHandlers(AT_ONCE)
    known = [received(envelope(events.assigned(lead))) for lead in ("ld_long", "ld_short", "ld_endless")]
    due = {"ld_long": NINE + timedelta(days=40), "ld_short": after(60), "ld_endless": NINE + timedelta(days=4000)}
    async with database.begin() as tx:
        await handlers.on_assignments(tx, known, NINE)
        opened = [received(envelope(events.opened(lead, due_at=at))) for lead, at in due.items()]
        await handlers.on_escalations(tx, opened, NINE)
        stored = {row.lead_id: row.updated_at for row in await tx.execute(sa.select(leads))}
    assert stored == {"ld_long": due["ld_long"], "ld_short": NINE, "ld_endless": NINE + timedelta(days=400)}

"""Quiet hours on both databases: a notice waits for their end unless it pages, and is dropped if it is over by then."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from services.delivery.handlers.notices import NoticeHandlers
from services.delivery.store import tables
from services.delivery.store.notices import Grouping
from services.delivery.store.tables import messages
from shared import agreement_file
from shared.agreements import store as agreements
from shared.bus.embedded import EmbeddedBus
from shared.db.engine import Database
from shared.domain.event import Recipient
from tests.kit import events
from tests.kit.agreements import agreement_text
from tests.kit.events import NINE, after, envelope, received
from tests.kit.subscribers import receiving
from tests.services.notices_kit import CHANNELS, notices_on

LOCAL = datetime.now(ZoneInfo("Europe/Brussels"))
ENDS = LOCAL + timedelta(hours=2)
QUIET = (
    f"quiet_hours: {{manager: ['{LOCAL - timedelta(hours=1):%H:%M}-{ENDS:%H:%M}'], ops: [00:00-23:59], except: page}}\n"
)
AGREEMENT = agreement_file.parse(f"{agreement_text()}{CHANNELS}{QUIET}", "quiet.yaml").agreement


async def test_a_notice_in_quiet_hours_waits_and_a_page_does_not(database: Database, embedded_bus: EmbeddedBus) -> None:
    async with database.begin() as tx:
        await agreements.save(tx, AGREEMENT, NINE)
    more = {"agreement": AGREEMENT.ref, "promise_due_at": after(15)}
    async with receiving() as chat, receiving((202, {}, b'{"status":"success"}')) as pager:
        environ = {"CHAT": chat.url, "PAGER": pager.url, "SLACK": chat.url}
        async with notices_on(database, embedded_bus, environ) as notices:
            waits = events.raised("ld_1", to=(Recipient("manager", "mia"),), **more)
            pages = events.raised("ld_2", to=(Recipient("ops", "lea"),), page=True, **more)
            await notices.publish(waits, pages)
            await notices.ended_of("ops", 1)
            [waiting] = await notices.listed(role="manager")
            assert (waiting["state"], len(chat.seen), len(pager.seen)) == ("due", 0, 1)
            async with database.read() as tx:
                due = [at for at in (await tx.execute(sa.select(messages.c.next_at))).scalars() if at is not None]
            assert max(due) == ENDS.replace(second=0, microsecond=0).astimezone(UTC)
            await notices.publish(events.closed("ld_1"))
            [dropped] = await notices.ended_of("manager", 1)
            assert (dropped["state"], dropped["reason"], len(chat.seen)) == ("dropped", "answered", 0)


async def test_a_pager_is_resolved_in_quiet_hours_and_no_notice_joins_a_message_that_goes_out_in_them(
    database: Database,
) -> None:
    handlers = NoticeHandlers(Grouping(interval_s=0, gather_s=5))
    now = datetime.now(UTC)
    more = {"agreement": AGREEMENT.ref, "promise_due_at": after(15)}
    breaches = [
        received(envelope(events.raised(lead, to=(Recipient(*to),), **more)))
        for lead, to in (("ld_1", ("ops", "lea")), ("ld_2", ("manager", "mia")))
    ]
    async with database.begin() as tx:
        await agreements.save(tx, AGREEMENT, NINE)
        before_quiet = now - timedelta(hours=1, minutes=1)
        await handlers.on_escalations(tx, breaches[1:], before_quiet)
        await tx.execute(sa.update(messages).values(next_at=now))
        again = received(envelope(events.raised("ld_3", to=(Recipient("manager", "mia"),), **more)))
        await handlers.on_escalations(tx, [breaches[0], again], now)
        sent = [tables.notices.c.lead_id == "ld_1"]
        await tx.execute(sa.update(tables.notices).where(*sent).values(state="told", ended_at=now))
        await handlers.on_escalations(tx, [received(envelope(events.closed("ld_1")))], now)
        query = sa.select(tables.notices.c.lead_id, tables.notices.c.kind, messages.c.next_at).join(
            messages, messages.c.message_id == tables.notices.c.message_id
        )
        next_at = {(row.lead_id, row.kind): row.next_at for row in await tx.execute(query)}
    assert next_at["ld_2", "breach"] == now
    assert next_at["ld_3", "breach"] == ENDS.replace(second=0, microsecond=0).astimezone(UTC)
    assert next_at["ld_1", "closed"] == now + timedelta(seconds=5)

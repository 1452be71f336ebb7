"""The recipients and the judge of the torture test with a real delivery service: what it does right gives no finding,
and what is wrong on purpose does."""

import json
from collections import Counter
from collections.abc import Sequence

import pytest
import sqlalchemy as sa

from services.delivery.domain.notice_retry import Schedules
from services.delivery.service import build
from services.delivery.store.notices import Grouping
from shared import agreement_file
from shared.agreements import store as agreements
from shared.bus.embedded import EmbeddedBus
from shared.db.engine import Database
from shared.domain.event import Recipient
from shared.domain.events import ESCALATIONS, Event
from shared.ports import Record as Polled
from tests.kit import events
from tests.kit.events import NINE
from tests.kit.services import first_records, platform_on, publish, running
from tests.kit.waiting import until
from tests.torture.evidence import NOTICES
from tests.torture.ledger import Evidence, Ledger, NoticeRow, Record, Rules
from tests.torture.notices import notice_findings
from tests.torture.receiver import people
from tests.torture.rig import agreement
from tests.torture.sabotage import WAYS

_LEADS = 40
_QUICK = Schedules(each_s=(0.02,) * 3, last_s=(0.02,) * 6)
_AGREEMENT = agreement_file.parse(agreement(), "agreement.yaml").agreement


@pytest.mark.parametrize(
    ("way", "finding"), [(None, None), ("lost-notice", "never received"), ("doubled-notice", "told twice")]
)
async def test_the_judge_finds_notices_that_are_lost_or_doubled_and_nothing_wrong_with_the_others(
    database: Database, embedded_bus: EmbeddedBus, monkeypatch: pytest.MonkeyPatch, way: str | None, finding: str | None
) -> None:
    if way is not None:
        WAYS[way](monkeypatch.setattr)
    ledger, told = Ledger(), [*_told(), *_told_together()]
    async with database.begin() as tx:
        await agreements.save(tx, _AGREEMENT, NINE)
    async with people(ledger) as notified:
        given = {"NOTICE_URL": notified.url, "NOTICE_SECRET": notified.secret}
        platform = platform_on(database, embedded_bus, BATON_ALLOW_LOOPBACK_ENDPOINTS="true", **given)
        service = build(platform, schedules=_QUICK, grouping=Grouping(0.0, 0.0))
        async with running(platform, service):
            await publish(embedded_bus, *told)
            await until(lambda: _all_told(database, len(told)))
            records = [_record(each) for each in await first_records(embedded_bus, ESCALATIONS, 2 * len(told))]
        for drain in service.drains[1::2]:
            await drain()
    rows = await _rows(database)
    found = Counter(
        each.kind for each in notice_findings(ledger, Evidence(notices=rows), records, Rules({}, tolerance_s=1.0))
    )
    assert found.keys() == ({finding} if finding else set())
    assert any(not each.answered for each in ledger.receipts)
    # The one about many promises may be the one that is lost.
    assert way == "lost-notice" or max(each.count for each in ledger.receipts) > 1


def _told() -> Sequence[Event]:
    """One step each for somebody else, so that each is a message of its own."""
    return [
        events.raised(f"ld_{number}", to=(Recipient("ops", f"person-{number}"),), agreement=_AGREEMENT.ref, level=4)
        for number in range(_LEADS)
    ]


def _told_together() -> Sequence[Event]:
    return [
        events.raised(f"ld_{number}", to=(Recipient("manager", "mia"),), agreement=_AGREEMENT.ref)
        for number in range(_LEADS)
    ]


async def _rows(database: Database) -> list[NoticeRow]:
    async with database.read() as tx:
        return [NoticeRow(*row) for row in await tx.execute(sa.text(NOTICES))]


async def _all_told(database: Database, count: int) -> bool:
    rows = await _rows(database)
    return len(rows) == count and all(row.state == "told" for row in rows)


def _record(polled: Polled) -> Record:
    kind, event_id = polled.headers["ce_type"].decode(), polled.headers["ce_id"].decode()
    place = (polled.topic, polled.partition, polled.offset)
    return Record(*place, event_id, kind, polled.key, json.loads(polled.value))

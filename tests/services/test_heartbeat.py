"""The heartbeat calls only while the last audit was clean and is recent, and never gives its URL away."""

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr

from services.delivery.channels.connecting import resolve
from services.delivery.channels.http_client import HttpClient
from services.delivery.service import build
from services.delivery.workers.heartbeat import Heartbeat
from services.scoreboard.store.audits import AuditRow, save_audit
from shared.bus.embedded import EmbeddedBus
from shared.clock import SystemClock
from shared.db.engine import Database
from shared.domain.errors import Misconfigured
from tests.kit.services import platform_on, running
from tests.kit.subscribers import receiving
from tests.kit.waiting import until


async def audited(database: Database, *, clean: bool, ago: timedelta = timedelta()) -> None:
    at = datetime.now(UTC) - ago
    row = AuditRow(finished_at=at, since_at=at, checked=1, differences=0, late=0, not_checked=0, clean=clean)
    async with database.begin() as tx:
        await save_audit(tx, row, keep=timedelta(days=1))


async def test_it_is_called_while_the_last_audit_is_clean_and_recent_and_else_withheld(database: Database) -> None:
    http = HttpClient(clock=SystemClock(), resolve=resolve, allow_loopback=True)
    async with receiving() as receiver:
        heartbeat = Heartbeat(database, http, SecretStr(receiver.url), every_s=1, recent_s=60)
        await heartbeat.beat()
        await audited(database, clean=True, ago=timedelta(seconds=61))
        await heartbeat.beat()
        assert (receiver.seen, "withheld" in str(heartbeat.note())) == ([], True)
        await audited(database, clean=True, ago=timedelta(seconds=2))
        await heartbeat.beat()
        assert (len(receiver.seen), heartbeat.note()) == (1, None)
        await audited(database, clean=False)
        await heartbeat.beat()
        assert (len(receiver.seen), "not clean" in str(heartbeat.note())) == (1, True)
    await http.close()


async def test_a_url_that_refuses_is_said_without_the_url(
    database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    http = HttpClient(clock=SystemClock(), resolve=resolve, allow_loopback=True)
    await audited(database, clean=True)
    async with receiving(404) as receiver:
        heartbeat = Heartbeat(database, http, SecretStr(receiver.url), every_s=1, recent_s=60)
        await heartbeat.beat()
        note = str(heartbeat.note())
        assert "it answered 404" in note
        said = capsys.readouterr()
        assert receiver.url not in note + said.out + said.err
    await http.close()


async def test_delivery_calls_the_url_that_is_set_and_shows_why_it_does_not(
    embedded_bus: EmbeddedBus, database: Database
) -> None:
    async with receiving() as receiver:
        environ = {"BATON_DELIVERY_HEARTBEAT_URL": receiver.url, "BATON_DELIVERY_HEARTBEAT_EVERY_S": "1"}
        platform = platform_on(database, embedded_bus, **environ)
        service = build(platform)
        async with running(platform, service):
            await until(lambda: "is withheld" in str(service.notes["heartbeat"]()))
            await audited(database, clean=True)
            assert [seen.path for seen in (await receiver.got(1))[:1]] == ["/hook"]


def test_a_url_that_is_none_ends_the_start_with_its_name(embedded_bus: EmbeddedBus, database: Database) -> None:
    for url in ("hc.example.com/ping", "http://[", "http://hc.example.com\n/ping"):
        platform = platform_on(database, embedded_bus, BATON_DELIVERY_HEARTBEAT_URL=url)
        with pytest.raises(Misconfigured, match="BATON_DELIVERY_HEARTBEAT_URL"):
            build(platform)

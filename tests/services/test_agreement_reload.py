"""Which agreement is in force: a new file is taken without a restart, stored, and announced once; a bad one is not."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from services.router.store.tables import tables
from shared import agreement_file
from shared.agreements import store as agreements
from shared.agreements.in_force import FileInForce, InForce
from shared.bus.embedded import EmbeddedBus
from shared.bus.envelope import decode
from shared.clock import SystemClock
from shared.db import schema
from shared.db.engine import Database
from shared.domain.agreement import Agreement
from shared.domain.errors import Misconfigured, NotFound
from shared.domain.events import ASSIGNMENTS, AgreementActivated
from shared.runtime.relay import OutboxRelay
from shared.runtime.wakeup import WakeUp
from tests.kit.agreements import agreement_text
from tests.kit.services import from_start
from tests.kit.waiting import until

LOOK_S = 0.02
PAST = datetime(2026, 1, 1, tzinfo=UTC)
clock = SystemClock()


def text(version: int = 1, *, effective_from: datetime = PAST, name: str = "test", score: int = 0) -> str:
    given = agreement_text(score=score)
    given = given.replace("2026-01-01T00:00:00+01:00", effective_from.isoformat())
    return given.replace("version: 1", f"version: {version}").replace("agreement: test", f"agreement: {name}")


def soon() -> datetime:
    return datetime.now(UTC) + timedelta(seconds=2)


def save(file: Path, content: str) -> None:
    """As a careful editor does: whole, under the same name."""
    aside = file.with_suffix(".new")
    aside.write_text(content)
    os.replace(aside, file)


def write(file: Path, content: str) -> None:
    """In place, as a careless one does."""
    file.write_text(content)


def remove(file: Path) -> None:
    file.unlink()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "agreement.yaml"
    path.write_text(text())
    return path


class Announcements:
    """What is announced, as it comes from the log."""

    def __init__(self, bus: EmbeddedBus) -> None:
        self._bus = bus
        self.events: list[AgreementActivated] = []

    async def follow(self) -> None:
        subscription = await self._bus.subscribe(group="test", topics=[ASSIGNMENTS], positions=from_start)
        while True:
            found = [decode(record).event for record in await subscription.poll(max_records=100, wait_s=0.5)]
            self.events += [event for event in found if isinstance(event, AgreementActivated)]

    def versions(self) -> list[int]:
        return [event.agreement.version for event in self.events]


@pytest.fixture
async def announced(database: Database, embedded_bus: EmbeddedBus) -> AsyncIterator[Announcements]:
    """The router's announcements, relayed to the log and read from there."""
    relay = OutboxRelay(database=database, bus=embedded_bus, clock=SystemClock(), tables=tables, wake=WakeUp())
    announcements = Announcements(embedded_bus)
    tasks = [asyncio.create_task(announcements.follow()), asyncio.create_task(relay.run())]
    yield announcements
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def following(database: Database, file: Path, look_s: float = LOOK_S) -> AsyncIterator[InForce]:
    """As the router runs it."""
    in_force = InForce(database=database, path=file, tables=tables, look_s=look_s)
    await in_force.start()
    task = asyncio.create_task(in_force.run())
    try:
        yield in_force
    finally:
        assert not task.done(), task
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def version_now(in_force: InForce) -> int:
    return in_force.at(datetime.now(UTC)).version


async def stored(database: Database, name: str = "test") -> list[int]:
    async with database.read() as tx:
        return [version.version for version in await agreements.versions(tx, name)]


async def test_the_first_version_is_stored_and_announced_at_start(
    database: Database, file: Path, announced: Announcements
) -> None:
    async with following(database, file) as in_force:
        assert (version_now(in_force), await stored(database)) == (1, [1])
        await until(lambda: announced.events)
    [event] = announced.events
    assert (event.lead_id, event.agreement, event.previous) == ("test", in_force.at(PAST).ref, None)
    assert (event.effective_from, event.approved_by) == (PAST, {"marketing": "Mara", "sales": "Sal"})
    async with following(database, file):
        save(file, text(2))
        await until(lambda: 2 in announced.versions())
    assert announced.versions() == [1, 2], "a restart announces nothing"


async def test_a_version_takes_effect_at_its_instant_without_a_restart(
    database: Database, file: Path, announced: Announcements
) -> None:
    async with following(database, file) as in_force:
        at = soon()
        save(file, text(2, effective_from=at))
        await until(lambda: in_force.at(at).version == 2)
        assert in_force.at(at - timedelta(microseconds=1)).version == 1
        assert (in_force.findings(), in_force.notice()) == ([], None)
        await until(lambda: 2 in announced.versions())
    first, second = announced.events
    assert second.previous == first.agreement
    assert at <= second.activated_at < at + timedelta(seconds=10)
    state = in_force.state()
    assert (state["agreement"]["version"], state["text"]) == (2, text(2, effective_from=at))
    assert [shown["version"] for shown in state["versions"]] == [2, 1]
    assert state["versions"][0]["approved_by"]["sales"] == {"name": "Sal", "on": "2026-01-01"}


async def test_a_file_that_does_not_load_is_reported_and_leaves_the_old_version_in_force(
    database: Database, file: Path
) -> None:
    async with following(database, file) as in_force:
        save(file, text(2).replace("pools:", "poools:"))
        await until(in_force.findings)
        assert version_now(in_force) == 1
        assert any("unknown key `poools`" in finding for finding in in_force.findings())
        assert "version 1 of test stays in force" in (in_force.notice() or "")
        assert in_force.state()["trouble"] == in_force.findings()
        save(file, text(2))
        await until(lambda: version_now(in_force) == 2)
        assert (in_force.findings(), in_force.notice()) == ([], None)
        remove(file)
        await until(in_force.findings)
        assert version_now(in_force) == 2


async def test_the_stored_version_is_in_force_when_the_process_starts_with_a_bad_file(
    database: Database, file: Path, announced: Announcements
) -> None:
    async with following(database, file) as in_force:
        at = soon()
        save(file, text(2, effective_from=at))
        await until(lambda: in_force.at(at).version == 2)
    agreements._loaded.clear()  # as in a new process
    save(file, "agreement: test\n")
    async with following(database, file, look_s=60) as in_force:  # so that only the version's instant wakes it
        assert in_force.at(at - timedelta(microseconds=1)).version == 1
        assert in_force.notice()
        await until(lambda: announced.versions() == [1, 2])
        assert in_force.state()["agreement"]["version"] == version_now(in_force) == 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (text(2, score=10), "version 2 is stored with other content: count `version` on"),
        (text(1), "version 1 is lower than version 2, which is in force"),
        (text(3, effective_from=PAST), "version 3 would never be in force"),
    ],
)
async def test_a_version_that_may_not_follow_is_refused(
    database: Database, file: Path, content: str, message: str
) -> None:
    write(file, text(2, effective_from=PAST + timedelta(days=1)))
    async with following(database, file) as in_force:
        save(file, content.replace(PAST.isoformat(), (PAST + timedelta(hours=1)).isoformat()))
        await until(in_force.findings)
        assert message in in_force.findings()[0]
        assert version_now(in_force) == 2
    assert await stored(database) == [2]


async def test_of_two_versions_for_one_instant_the_higher_is_in_force_and_a_lower_one_that_takes_over_is_reported(
    database: Database, file: Path
) -> None:
    later = datetime(2099, 1, 1, tzinfo=UTC)
    async with following(database, file) as in_force:
        save(file, text(2, effective_from=later))
        await until(lambda: in_force.at(later).version == 2)
        save(file, text(3))
        await until(lambda: version_now(in_force) == 3)
        assert "version 2 is stored too and takes over" in (in_force.notice() or "")
        save(file, text(4, effective_from=later))
        await until(lambda: in_force.at(later).version == 4)
        assert in_force.notice() is None


async def test_processes_on_one_database_agree_and_announce_once(
    database: Database, file: Path, tmp_path: Path, announced: Announcements
) -> None:
    other = tmp_path / "elsewhere.yaml"
    write(other, text())
    async with following(database, file) as one, following(database, other) as two:
        second = text(2, effective_from=soon())
        save(file, second)
        await until(lambda: version_now(one) == version_now(two) == 2)
        await until(lambda: 2 in announced.versions())
        await until(two.findings)
        assert "version 1 is lower than version 2" in two.findings()[0]
        save(other, second)
        await until(lambda: not two.findings())
        third = text(3, effective_from=datetime.now(UTC))
        save(file, third)
        save(other, third)
        await until(lambda: version_now(one) == version_now(two) == 3)
        await until(lambda: 3 in announced.versions())
    assert announced.versions() == [1, 2, 3]


async def test_many_that_start_at_once_announce_once(database: Database, file: Path, announced: Announcements) -> None:
    starting = [InForce(database=database, path=file, tables=tables) for _ in range(5)]
    await asyncio.gather(*(each.start() for each in starting))
    save(file, text(2))
    again = [InForce(database=database, path=file, tables=tables) for _ in range(5)]
    await asyncio.gather(*(each.start() for each in again))
    await until(lambda: 2 in announced.versions())
    assert announced.versions() == [1, 2]


async def test_another_agreement_follows_when_it_takes_effect(
    database: Database, file: Path, announced: Announcements
) -> None:
    async with following(database, file) as in_force:
        at = soon()
        save(file, text(1, effective_from=at, name="other"))
        await until(lambda: in_force.at(at).name == "other")
        assert in_force.at(at - timedelta(microseconds=1)).name == "test"
        await until(lambda: len(announced.events) == 2)
    assert announced.events[1].previous == announced.events[0].agreement


async def test_a_start_with_nothing_in_force_is_refused_with_what_to_do(database: Database, file: Path) -> None:
    write(file, text(1, effective_from=datetime(2099, 1, 1, tzinfo=UTC)))
    with pytest.raises(
        Misconfigured, match=r"takes effect at 2099-01-01.*set `effective_from` to an instant in the past"
    ):
        await InForce(database=database, path=file, tables=tables).start()
    write(file, "agreement: test\n")
    with pytest.raises(Misconfigured, match=r"agreement.yaml:1:1: "):
        await InForce(database=database, path=file, tables=tables).start()
    remove(file)
    with pytest.raises(Misconfigured, match="no such file"):
        await InForce(database=database, path=file, tables=tables).start()


async def test_a_half_written_file_is_not_taken(database: Database, file: Path) -> None:
    in_force = InForce(database=database, path=file, tables=tables)
    await in_force.start()
    whole = text(2)
    write(file, whole[: whole.index("feedback:")])  # reads as an agreement, without the reject reasons
    await in_force._file.look()
    await in_force._agree()
    write(file, whole)
    for _ in range(3):
        await in_force._file.look()
        await in_force._agree()
    assert version_now(in_force) == 2
    assert in_force.at(datetime.now(UTC)).reject_reasons


async def test_versions_are_found_by_number_and_by_hash(database: Database, file: Path) -> None:
    one, two = (agreement_file.parse(text(number), "test.yaml").agreement for number in (1, 2))
    async with database.begin() as tx:
        await agreements.save(tx, one, PAST)
        await agreements.save(tx, two, PAST + timedelta(days=1))
        await agreements.save(tx, two, PAST + timedelta(days=2))
    agreements._loaded.clear()
    async with database.read() as tx:
        assert (await agreements.by_hash(tx, one.hash)).text == one.text
        assert (await agreements.by_version(tx, "test", 2)).hash == two.hash
        with pytest.raises(NotFound, match="no version 3 of the agreement test"):
            await agreements.by_version(tx, "test", 3)
        [_, last] = await agreements.versions(tx, "test")
    assert (last.version, last.kept_at, last.activated_at) == (2, PAST + timedelta(days=1), None)


PILOT = (
    "pilots: [{name: try, scope: {field: inquiry.campaign, op: is, value: q4}, agreement: draft.yaml, mode: live}]\n"
)


async def test_a_pilot_is_stored_with_its_agreement_and_takes_effect_only_once_it_is_the_file(
    database: Database, file: Path, announced: Announcements
) -> None:
    draft = file.parent / "draft.yaml"
    write(draft, text(3, score=20))
    async with following(database, file) as in_force:
        save(file, text(2) + PILOT)
        await until(lambda: version_now(in_force) == 2)
        now = in_force.at(datetime.now(UTC))
        agreements._loaded.clear()  # as in a new process
        async with database.read() as tx:
            again = await agreements.by_hash(tx, now.hash)
            assert (again.hash, again.pilots[0].agreement.mql.score_at_least) == (now.hash, 20)
            assert (await agreements.by_hash(tx, again.pilots[0].agreement.hash)).version == 3
        assert await stored(database) == [1, 2]
        save(draft, text(3, score=30))
        await until(in_force.findings)
        assert "version 2 is stored with other content" in in_force.findings()[0]
        save(draft, text(3, score=20))
        await until(lambda: not in_force.findings())
        save(file, text(3, score=20))
        await until(lambda: version_now(in_force) == 3)
        await until(lambda: 3 in announced.versions())
    assert (await stored(database), announced.versions()) == ([1, 2, 3], [1, 2, 3])


async def test_versions_stored_by_an_older_release_count_as_in_force_since_then(tmp_path: Path) -> None:
    database = Database(f"sqlite+aiosqlite:///{tmp_path}/old.db", clock)
    await schema.migrate(database)
    old: Agreement = agreement_file.parse(text(), "test.yaml").agreement
    at = datetime(2026, 6, 1, tzinfo=UTC)

    def back(connection: sa.Connection) -> None:
        config = Config()
        config.set_main_option("script_location", str(schema.MIGRATIONS))
        config.attributes["connection"] = connection
        command.downgrade(config, "0001")

    async with database.begin() as tx:
        await tx.run_sync(back)
        row = {"h": old.hash, "t": old.text, "at": round(at.timestamp() * 1_000_000)}
        await tx.execute(sa.text("INSERT INTO agreement_versions VALUES (:h, 'test', 1, :t, :at)"), row)
    await schema.migrate(database)
    async with database.read() as tx:
        [version] = await agreements.versions(tx)
        assert (await agreements.by_hash(tx, old.hash)).text == old.text
    assert (version.effective_from, version.kept_at, version.activated_at) == (at, at, at)
    await database.close()


async def test_a_file_alone_is_followed_by_the_clock(file: Path) -> None:
    in_force = FileInForce(path=file, clock=clock, service="test", look_s=LOOK_S)
    await in_force.start()
    task = asyncio.create_task(in_force.run())
    at = soon()
    save(file, text(2, effective_from=at))
    await until(lambda: in_force.at(at) is not in_force.at(at - timedelta(microseconds=1)))
    save(file, text(2, effective_from=at, score=10))
    await until(in_force.notice)
    assert "version 1 of test stays in force" in (in_force.notice() or "")
    await until(lambda: (in_force.at(clock.now()) or in_force.at(PAST)).version == 2)  # type: ignore[union-attr]
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_an_endpoint_with_a_bad_file_opens_and_says_so(file: Path) -> None:
    write(file, "agreement: test\n")
    in_force = FileInForce(path=file, clock=clock, service="test")
    await in_force.start()
    assert in_force.at(clock.now()) is None
    assert "none is in force" in (in_force.notice() or "")
    remove(file)
    with pytest.raises(Misconfigured, match="no such file"):
        await in_force.start()

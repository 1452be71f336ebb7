"""The spool keeps what it confirmed: through errors of the disk, stops, and clocks that are wrong."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from services.ingest.domain.facts import Activity, normal_activity, recorded
from services.ingest.domain.identity import Identity
from services.ingest.domain.intake import StrictContact, SubmittedLead, inquiry, normal_lead
from services.ingest.domain.pending_event import KeyReused, PendingEvent, instant_at
from services.ingest.spool.file import SpoolFile, claim
from services.ingest.spool.writer import DELETED_AT_ONCE, Spool
from shared.clock import SystemClock, new_id
from shared.domain.errors import Misconfigured, Unavailable
from shared.domain.events import InquiryReceived
from shared.ports import Clock
from shared.settings import Retention
from tests.kit.clocks import SteppedClock

identity = Identity(b"a key of more than enough length")


def call(number: int) -> PendingEvent:
    activity = Activity(kind="call", activity_id=f"call-{number}", email=f"p{number}@example.com")
    return recorded(normal_activity(activity, identity), sender="crm", raw=str(number).encode())


def draft(number: int, *, message: str = "", key: str | None = None) -> PendingEvent:
    lead = normal_lead(SubmittedLead(contact=StrictContact(email=f"p{number}@example.com"), message=message or None))
    return inquiry(lead, identity=identity, sender="key:k", raw=str(number).encode(), sent_key=key)


@asynccontextmanager
async def opened(
    folder: Path,
    *,
    clock: Clock | None = None,
    max_rows: int = 10**6,
    max_bytes: int = 2**30,
    free_bytes: int = 0,
    retain: int = 0,
) -> AsyncIterator[Spool]:
    file, _ = claim(folder, max_bytes=max_bytes, retention=Retention(rows=retain, seconds=3600))
    spool = Spool(file, clock or SystemClock(), new_id, max_rows=max_rows, free_bytes=free_bytes)
    await spool.start()
    yield spool
    await spool.close()


async def test_facts_come_back_in_the_order_of_their_acceptance_after_a_restart(tmp_path: Path) -> None:
    async with opened(tmp_path) as spool:
        outcomes = [outcome for n in range(20) for outcome in await spool.append([draft(n)])]
        instance = spool.instance
    async with opened(tmp_path) as spool:
        assert spool.instance == instance
        assert spool.rows == 20
        entries = await spool.oldest(after=0, limit=15)
        entries += await spool.oldest(after=entries[-1].seq, limit=15)
    assert [entry.id for entry in entries] == [outcome.id for outcome in outcomes]
    assert [entry.seq for entry in entries] == sorted(entry.seq for entry in entries)
    event = msgspec.json.decode(entries[3].value, type=InquiryReceived)
    assert (event.inquiry_id, event.accepted_at) == (entries[3].id, instant_at(entries[3].accepted_at_us))


async def test_requests_that_arrive_together_share_commits_and_each_hears_its_own_outcome(tmp_path: Path) -> None:
    async with opened(tmp_path) as spool:
        outcomes = await asyncio.gather(*(spool.append([draft(n), draft(1000 + n)]) for n in range(300)))
        entries = await spool.oldest(after=0, limit=1000)
    assert len(entries) == 600
    assert len({entry.accepted_at_us for entry in entries}) < 100
    for n, (first, second) in enumerate(outcomes):
        assert first.lead_id == draft(n).lead_id
        assert second.lead_id == draft(1000 + n).lead_id


async def test_of_two_repeats_in_one_commit_the_first_counts(tmp_path: Path) -> None:
    async with opened(tmp_path) as spool:
        (first,), (second, third) = await asyncio.gather(spool.append([draft(1)]), spool.append([draft(1), draft(1)]))
        assert [first.duplicate, second.duplicate, third.duplicate] == [False, True, True]
        assert first.id == second.id == third.id
        assert spool.rows == 1


async def test_a_repeat_is_known_after_its_fact_was_relayed_deleted_and_the_process_restarted(tmp_path: Path) -> None:
    async with opened(tmp_path) as spool:
        [first] = await spool.append([draft(1, key="k")])
        for start in range(0, DELETED_AT_ONCE + 100, 100):
            await spool.append([draft(n) for n in range(10 + start, 110 + start)])
        last = (await spool.oldest(after=DELETED_AT_ONCE, limit=1000))[-1].seq
        await spool.watermark(relayed=last)
        assert spool.rows == 0
    with sqlite3.connect(tmp_path / "spool-0.db") as sql:
        assert sql.execute("SELECT count(*) FROM entries").fetchone() == (0,)
    sql.close()
    async with opened(tmp_path) as spool:
        [again] = await spool.append([draft(1, key="k")])
        with pytest.raises(KeyReused):
            await spool.append([draft(1, key="k", message="other")])
        [by_bytes] = await spool.append([draft(11)])
        assert (await spool.oldest(after=last, limit=10)) == []
    assert (again.duplicate, again.id, again.lead_id) == (True, first.id, first.lead_id)
    assert by_bytes.duplicate


async def test_the_same_bytes_are_a_new_inquiry_after_a_day(tmp_path: Path) -> None:
    for relayed in (False, True):
        folder = tmp_path / str(relayed)
        async with opened(folder) as spool:
            [first] = await spool.append([draft(1)])
            [sent] = await spool.append([draft(2, key="k")])
            if relayed:
                await spool.watermark(relayed=2)
        clock = SteppedClock()
        clock.step = timedelta(hours=25)
        async with opened(folder, clock=clock) as spool:
            [later] = await spool.append([draft(1)])
            [accepted] = await spool.append([draft(2, key="k")])
        assert not later.duplicate
        assert (later.id != first.id, later.lead_id) == (True, first.lead_id)
        assert (accepted.duplicate, accepted.id) == (True, sent.id)


async def test_a_full_disk_refuses_loses_nothing_and_recovers_by_itself(tmp_path: Path) -> None:
    accepted: list[str] = []
    async with opened(tmp_path, max_bytes=2**20) as spool:
        refused = None
        while refused is None:
            try:
                accepted += [outcome.id for outcome in await spool.append([draft(len(accepted), message="x" * 2000)])]
            except Unavailable as full:
                refused = full
        assert "disk of this service is full" in refused.detail
        assert refused.retry_after_s >= 1
        assert await spool.shortage() is not None
        entries = await spool.oldest(after=0, limit=10_000)
        assert [entry.id for entry in entries] == accepted
        await spool.watermark(relayed=entries[-1].seq)
        [outcome] = await spool.append([draft(20_000)])
        assert await spool.shortage() is None
        assert [entry.id for entry in await spool.oldest(after=entries[-1].seq, limit=10)] == [outcome.id]


async def test_a_request_is_stored_whole_or_not_at_all_when_the_disk_fills_during_it(tmp_path: Path) -> None:
    async with opened(tmp_path, max_bytes=2**20) as spool:
        await spool.append([draft(1)])
        with pytest.raises(Unavailable):
            await spool.append([draft(n, message="x" * 4000) for n in range(10, 500)])
        assert spool.rows == 1
        [outcome] = await spool.append([draft(10, message="x" * 4000)])
        assert not outcome.duplicate


async def test_past_its_bound_of_rows_the_spool_refuses_and_says_so_before(tmp_path: Path) -> None:
    async with opened(tmp_path, max_rows=10) as spool:
        await spool.append([draft(n) for n in range(7)])
        assert await spool.shortage() is None
        await spool.append([draft(7)])
        assert "80% full" in str(await spool.shortage())
        with pytest.raises(Unavailable, match="full"):
            await spool.append([draft(n) for n in range(8, 11)])
        await spool.append([draft(8), draft(9)])


async def test_a_disk_that_runs_low_shows_before_it_is_full(tmp_path: Path) -> None:
    async with opened(tmp_path, free_bytes=2**60) as spool:
        assert "MiB left" in str(await spool.shortage())


async def test_nothing_accepted_before_a_watermark_comes_behind_it(tmp_path: Path) -> None:
    async with opened(tmp_path) as spool:
        await spool.append([draft(1)])
        oldest = (await spool.oldest(after=0, limit=1))[0].accepted_at_us
        assert await spool.watermark(relayed=0) == oldest
        writes = asyncio.gather(*(spool.append([draft(n)]) for n in range(2, 200)))
        upto = await spool.watermark(relayed=1)
        await writes
        behind = await spool.oldest(after=1, limit=1000)
        assert min(entry.accepted_at_us for entry in behind) >= upto


async def test_stamps_never_fall_below_what_was_promised_though_the_clock_was_set_back(
    tmp_path: Path,
) -> None:
    clock = SteppedClock()
    async with opened(tmp_path, clock=clock) as spool:
        promised = await spool.watermark(relayed=0)
    clock.step = timedelta(milliseconds=-500)
    async with opened(tmp_path, clock=clock) as spool:
        await spool.append([draft(1)])
        assert (await spool.oldest(after=0, limit=1))[0].accepted_at_us >= promised
    clock.step = timedelta(hours=-1)
    async with opened(tmp_path, clock=clock) as spool:
        with pytest.raises(Unavailable, match="clock"):
            await spool.append([call(2)])


async def test_a_stopping_spool_commits_what_was_queued_and_takes_no_more(tmp_path: Path) -> None:
    async with opened(tmp_path) as spool:
        queued = [asyncio.ensure_future(spool.append([draft(n)])) for n in range(600)]
        await asyncio.sleep(0)
    assert len(await asyncio.gather(*queued)) == 600
    with pytest.raises(Unavailable, match="stopping"):
        await spool.append([draft(1)])
    async with opened(tmp_path) as spool:
        assert spool.rows == 600


async def test_a_sender_that_goes_away_disturbs_nobody(tmp_path: Path) -> None:
    async with opened(tmp_path) as spool:
        leaving = asyncio.ensure_future(spool.append([draft(1)]))
        staying = asyncio.ensure_future(spool.append([draft(2)]))
        await asyncio.sleep(0)
        leaving.cancel()
        with suppress(asyncio.CancelledError):
            await leaving
        assert not (await staying)[0].duplicate
        assert (await spool.append([draft(3)]))[0].id


@contextmanager
def _claimed(folder: Path) -> Iterator[tuple[SpoolFile, list[SpoolFile]]]:
    own, orphans = claim(folder, max_bytes=2**30)
    yield own, orphans
    for file in (own, *orphans):
        file.close()


def test_each_process_gets_a_spool_of_its_own_and_adopts_those_that_nobody_holds(tmp_path: Path) -> None:
    with _claimed(tmp_path) as (first, none):
        first.open("a")
        with _claimed(tmp_path) as (second, none_either):
            second.open("b")
            assert (first.path.name, second.path.name) == ("spool-0.db", "spool-1.db")
            assert none == none_either == []
        with _claimed(tmp_path) as (again, _):
            again.open("c")
            assert (again.path.name, again.read("instance")) == ("spool-1.db", "b")
    with _claimed(tmp_path) as (own, orphans):
        assert (own.path.name, [file.path.name for file in orphans]) == ("spool-0.db", ["spool-1.db"])


async def test_every_commit_is_synced(tmp_path: Path) -> None:
    file, _ = claim(tmp_path, max_bytes=2**30)
    file.open("x")
    assert file._sql.execute("PRAGMA synchronous").fetchone() == (2,)
    assert file._sql.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    file.close()


def test_rows_that_an_error_hid_are_relayed_after_all(tmp_path: Path) -> None:
    file, _ = claim(tmp_path, max_bytes=2**30)
    file.open("x")
    file.append([[draft(1)]], 1)
    file.forsake()
    with sqlite3.connect(tmp_path / "spool-0.db") as sql:  # as a commit whose fsync failed, and that was durable anyway
        sql.execute("INSERT INTO entries SELECT 2, topic, key, 'inq_2', type, 2, 'k2', 0, value, '', 2 FROM entries")
    sql.close()
    file.append([[draft(3)]], 3)
    assert [entry.seq for entry in file.oldest(0, 10)] == [1, 2, 3]
    assert [entry.seq for entry in file.oldest(1, 10)] == [2, 3]
    file.close()


EARLIER = """
PRAGMA journal_mode = WAL;
CREATE TABLE entries (
    seq INTEGER PRIMARY KEY, topic TEXT NOT NULL, key TEXT NOT NULL, id TEXT NOT NULL, type TEXT NOT NULL,
    accepted_at INTEGER NOT NULL, repeat_key TEXT NOT NULL, expires_at INTEGER NOT NULL, value TEXT NOT NULL);
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE seen (
    key TEXT PRIMARY KEY, id TEXT NOT NULL, lead_id TEXT NOT NULL, accepted_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO meta VALUES ('instance', 'earlier');
INSERT INTO entries VALUES (7, 't', 'k', 'old', 'type', 1, 'repeat', 4000000000000000, '{}');
INSERT INTO seen VALUES ('older', 'id', 'lead', 1, 4000000000000000);
"""


async def test_a_repeat_of_what_an_earlier_release_normalized_otherwise_is_no_other_content(tmp_path: Path) -> None:
    async with opened(tmp_path) as spool:
        now, other = draft(1, key="k"), draft(1, key="k", message="other")
        _, digest = now.content.split(":")
        [first] = await spool.append([msgspec.structs.replace(other, content=digest[::-1])])
        [again] = await spool.append([now])
        assert (again.id, again.duplicate) == (first.id, True)
        await spool.append([draft(2, key="l")])
        with pytest.raises(KeyReused):
            await spool.append([draft(2, key="l", message="other")])


async def test_a_spool_of_an_earlier_release_is_taken_over_with_what_it_holds(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "spool-0.db") as sql:
        sql.executescript(EARLIER)
    sql.close()
    async with opened(tmp_path) as spool:
        assert spool.instance == "earlier"
        await spool.append([draft(1, key="k")])
        entries = await spool.oldest(after=0, limit=10)
        await spool.watermark(relayed=entries[-1].seq)
        [again] = await spool.append([draft(1, key="k")])
        with pytest.raises(KeyReused):
            await spool.append([draft(1, key="k", message="other")])
    assert [entry.id for entry in entries] == ["old", again.id]


@pytest.mark.parametrize(
    ("content", "why"), [(b"no database at all, but long enough to be taken for one" * 99, "not a database")]
)
async def test_a_file_that_is_no_spool_is_refused_with_what_to_do(tmp_path: Path, content: bytes, why: str) -> None:
    (tmp_path / "spool-0.db").write_bytes(content)
    with pytest.raises(
        Misconfigured, match=rf"spool-0.db can't be opened as a spool .*{why}.*restore the file from a backup"
    ):
        async with opened(tmp_path):
            pass


async def test_a_spool_of_a_later_release_is_left_alone(tmp_path: Path) -> None:
    async with opened(tmp_path):
        pass
    with sqlite3.connect(tmp_path / "spool-0.db") as sql:
        sql.execute("PRAGMA user_version = 1000")
    sql.close()
    with pytest.raises(Misconfigured, match="newer Baton"):
        async with opened(tmp_path):
            pass

"""What is the database's and what the record's: each state raised for real, on both databases."""

import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from pathlib import Path

import pytest
import sqlalchemy as sa

from shared.clock import SystemClock
from shared.db.bulk import insert_or_skip, insert_rows
from shared.db.engine import Database, Tx
from shared.db.outages import is_outage

# fmt: off
OF_THE_DATABASE = [
    "08000", "08003", "08006", "25006", "25P02", "25P03", "26000", "0A000", "28000", "28P01", "3D000", "40001", "40P01",
    "42501", "42P01", "42703", "53000", "53100", "53200", "53300", "53400", "55000", "55006", "55P03", "57014", "57P01",
    "57P02", "57P03", "57P04", "58000", "58030", "58P01", "72000", "F0000", "HV000", "P0001", "XX000", "XX001", "XX002",
    "ZZ999",
]
OF_THE_RECORD = [
    "21000", "22000", "22001", "22003", "22008", "22021", "22P02", "22P05", "23502", "23503", "23505", "23514", "44000",
    "54000", "54001",
]
# fmt: on

codes = sa.Table(
    "outage_tests",
    sa.MetaData(),
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("text", sa.Text, nullable=False),
)


@pytest.fixture
async def postgres(fresh_database: str) -> AsyncIterator[Database]:
    database = Database(fresh_database, SystemClock())
    async with database.begin() as tx:
        await tx.run_sync(codes.metadata.create_all)
    yield database
    await database.close()


async def _raised(database: Database, statement: str) -> Exception:
    with pytest.raises(Exception) as raised:
        async with database.begin() as tx:
            await tx.execute(sa.text(statement))
    return raised.value


@pytest.mark.postgres
async def test_every_state_of_the_server_is_waited_out_and_only_those_of_the_data_are_the_records(
    postgres: Database,
) -> None:
    found = {}
    for state in (*OF_THE_DATABASE, *OF_THE_RECORD):
        error = await _raised(postgres, f"DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '{state}'; END $$")
        found[state] = is_outage(error)
    assert found == dict.fromkeys(OF_THE_DATABASE, True) | dict.fromkeys(OF_THE_RECORD, False)


Write = Callable[[Tx, sa.Table, Sequence[Mapping[str, object]]], Awaitable[None]]


async def _unwritten(
    database: Database, write: Write, rows: Sequence[Mapping[str, object]], first: str = ""
) -> Exception:
    try:
        async with database.begin() as tx:
            await tx.execute(sa.text(first or "SELECT 1"))
            await write(tx, codes, rows)
    except Exception as error:
        return error
    pytest.fail("it was written")


@pytest.mark.postgres
@pytest.mark.parametrize("count", [1, 2])
async def test_a_read_only_server_is_an_outage_for_copy_and_for_statements(postgres: Database, count: int) -> None:
    rows = [{"id": number, "text": "a"} for number in range(count)]
    error = await _unwritten(postgres, insert_rows, rows, first="SET TRANSACTION READ ONLY")
    assert is_outage(error)


@pytest.mark.postgres
async def test_a_connection_that_was_cut_is_an_outage(postgres: Database) -> None:
    error = await _raised(postgres, "SELECT pg_terminate_backend(pg_backend_pid())")
    assert is_outage(error)


BAD_VALUES = [(1, "a\0b"), (1, "\ud800"), (2**40, "a"), (2**70, "a"), (1, None), (1, 3.5)]


@pytest.mark.postgres
@pytest.mark.parametrize("bad", BAD_VALUES)
async def test_values_that_postgresql_can_not_take_are_the_records(postgres: Database, bad: tuple[int, object]) -> None:
    row = {"id": bad[0], "text": bad[1]}
    for rows in ([row], [{"id": 7, "text": "good"}, row]):
        for write in (insert_rows, insert_or_skip):
            error = await _unwritten(postgres, write, rows)
            assert not is_outage(error), error


@pytest.fixture
async def sqlite(tmp_path: Path) -> AsyncIterator[Database]:
    database = Database(f"sqlite+aiosqlite:///{tmp_path}/baton.db", SystemClock())
    async with database.begin() as tx:
        await tx.run_sync(codes.metadata.create_all)
    yield database
    await database.close()


@pytest.mark.parametrize("bad", [(1, "\ud800"), (2**70, "a"), (1, None), (1, object())])
async def test_values_that_sqlite_can_not_take_are_the_records(sqlite: Database, bad: tuple[int, object]) -> None:
    error = await _unwritten(sqlite, insert_rows, [{"id": bad[0], "text": bad[1]}])
    assert not is_outage(error), error


async def test_a_full_a_read_only_and_a_damaged_sqlite_are_outages(sqlite: Database, tmp_path: Path) -> None:
    rows = [{"id": number, "text": "x" * 5000} for number in range(100)]
    full = await _unwritten(sqlite, insert_rows, rows, first="PRAGMA max_page_count = 1")
    readonly = await _unwritten(sqlite, insert_rows, rows[:1], first="PRAGMA query_only = on")
    (tmp_path / "other.db").write_bytes(b"no database at all" * 100)
    other = Database(f"sqlite+aiosqlite:///{tmp_path}/other.db", SystemClock())
    with pytest.raises(Exception, match="not a database") as damaged:
        await other.ping()
    await other.close()
    assert ["full" in str(full), "readonly" in str(readonly)] == [True, True]
    assert all(map(is_outage, [full, readonly, damaged.value]))


@pytest.mark.parametrize(
    "code",
    ["PERM", "BUSY", "LOCKED", "NOMEM", "READONLY", "IOERR", "CORRUPT", "FULL", "CANTOPEN", "NOTADB", "PROTOCOL"],
)
def test_every_state_of_sqlite_that_is_not_about_the_data_is_an_outage(code: str) -> None:
    error = sqlite3.OperationalError(code)
    error.sqlite_errorcode = getattr(sqlite3, f"SQLITE_{code}") | 1 << 8
    assert is_outage(error)


def test_a_full_disk_an_unreachable_host_and_a_late_answer_are_outages_and_a_bad_value_is_not() -> None:
    away = [OSError(28, "no space left on device"), ConnectionRefusedError(), TimeoutError()]
    assert all(map(is_outage, away))
    assert is_outage(ExceptionGroup("all", away))
    assert not is_outage(ExceptionGroup("one", [*away, ValueError("bad")]))
    assert not any(map(is_outage, [ValueError(), RecursionError(), OverflowError(), MemoryError(), KeyError()]))

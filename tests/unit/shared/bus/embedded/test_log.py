"""What the log confirmed is there after any end; what it refused is not there at all."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from shared.bus.embedded.log import Log
from shared.domain.errors import Misconfigured
from shared.ports import Message, Span

PLACES = [("leads", partition) for partition in range(3)]
FIRST, SECOND = PLACES[:2]


def messages(*numbers: int, size: int = 0) -> list[Message]:
    return [Message("leads", f"key-{n}", b"%d" % n + b"." * size, (("ce_id", b"%d" % n),)) for n in numbers]


def span(start: int, end: int, log: Log | None = None) -> Span:
    return Span(start, end, log.id if log else "")


def test_a_reopened_log_has_the_same_id_and_a_new_one_another(tmp_path: Path) -> None:
    with closing(Log(tmp_path / "log.db", PLACES)) as log:
        first = log.id
    with closing(Log(tmp_path / "log.db", PLACES)) as log, closing(Log(tmp_path / "other.db", PLACES)) as other:
        assert (log.id == first, other.id == first) == (True, False)


def test_records_come_back_with_offsets_counted_per_place(tmp_path: Path) -> None:
    with closing(Log(tmp_path / "log.db", PLACES)) as log:
        assert log.append([(FIRST, messages(0, 1)), (SECOND, messages(2))], at_ms=0) == {FIRST: 2, SECOND: 1}
        assert log.append([(FIRST, messages(3)), (FIRST, messages(4))], at_ms=0) == {FIRST: 4}
        records = log.read([(FIRST, span(1, 4)), (SECOND, span(0, 1))], max_records=10)
    assert [(r.partition, r.offset, r.value) for r in records] == [
        (0, 1, b"1"),
        (0, 2, b"3"),
        (0, 3, b"4"),
        (1, 0, b"2"),
    ]
    assert (records[0].key, records[0].headers) == ("key-1", {"ce_id": b"1"})


def test_a_read_ends_at_the_span_and_at_the_number_asked_for(tmp_path: Path) -> None:
    with closing(Log(tmp_path / "log.db", PLACES)) as log:
        log.append([(FIRST, messages(*range(10))), (SECOND, messages(*range(10)))], at_ms=0)
        assert [r.offset for r in log.read([(FIRST, span(2, 4))], max_records=10)] == [2, 3]
        assert [r.partition for r in log.read([(SECOND, span(8, 10)), (FIRST, span(0, 10))], max_records=5)] == [
            1,
            1,
            0,
            0,
            0,
        ]


def test_a_reopened_log_goes_on_where_it_was(tmp_path: Path) -> None:
    with closing(Log(tmp_path / "log.db", PLACES)) as log:
        log.append([(SECOND, messages(0, 1))], at_ms=0)
    with closing(Log(tmp_path / "log.db", PLACES)) as log:
        assert log.found == {FIRST: span(0, 0, log), SECOND: span(0, 2, log), PLACES[2]: span(0, 0, log)}
        assert log.append([(SECOND, messages(2))], at_ms=0) == {SECOND: 3}


def test_commits_are_synced_to_disk(tmp_path: Path) -> None:
    with closing(Log(tmp_path / "log.db", PLACES)) as log:
        assert log._writer.execute("pragma synchronous").fetchone() == (2,)
        assert log._writer.execute("pragma journal_mode").fetchone() == ("wal",)


def test_a_full_disk_leaves_nothing_half_written_and_offsets_without_a_gap(tmp_path: Path) -> None:
    with closing(Log(tmp_path / "log.db", PLACES)) as log:
        log.append([(FIRST, messages(0))], at_ms=0)
        pages = log._writer.execute("pragma page_count").fetchone()[0]
        log._writer.execute(f"pragma max_page_count = {pages + 10}")
        with pytest.raises(sqlite3.OperationalError, match="full"):
            log.append([(FIRST, messages(1, size=10)), (SECOND, messages(*range(2, 100), size=1000))], at_ms=0)
        log._writer.execute(f"pragma max_page_count = {pages + 1000}")
        assert log.append([(FIRST, messages(7))], at_ms=0) == {FIRST: 2}
        assert [r.value for r in log.read([(FIRST, span(0, 9)), (SECOND, span(0, 9))], max_records=9)] == [b"0", b"7"]


def test_old_records_are_forgotten_in_bounded_steps_and_the_newest_stays(tmp_path: Path) -> None:
    with closing(Log(tmp_path / "log.db", PLACES)) as log:
        log.append([(FIRST, messages(*range(5))), (SECOND, messages(9))], at_ms=1000)
        assert log.forget(FIRST, before_ms=1000, max_records=3) == 0
        assert log.forget(FIRST, before_ms=1001, max_records=3) == 3
        assert log.forget(FIRST, before_ms=1001, max_records=3) == 1
        assert log.forget(FIRST, before_ms=1001, max_records=3) == 0
        assert log.forget(SECOND, before_ms=1001, max_records=3) == 0
    with closing(Log(tmp_path / "log.db", PLACES)) as log:
        assert (log.found[FIRST], log.found[SECOND]) == (span(4, 5, log), span(0, 1, log))


def test_a_file_that_is_no_database_is_refused_with_its_path(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    path.write_bytes(b"no database at all" * 100)
    with pytest.raises(Misconfigured, match=str(path)):
        Log(path, PLACES)
    path.unlink()
    Log(path, PLACES).close()


def test_a_folder_that_can_not_be_made_is_refused_with_the_setting_to_change(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Misconfigured, match="BATON_DATA"):
        Log(tmp_path / "file" / "log.db", PLACES)

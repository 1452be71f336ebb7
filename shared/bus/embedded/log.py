"""The records in one SQLite file: appended in synced transactions, read by partition and offset, deleted by age.

Not thread-safe, except that `read` may run concurrently with anything else.
"""

import os
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from shared.domain.errors import Misconfigured
from shared.ports import Message, Record, Span, TopicPartition
from shared.sqlite_file import claim, connect, transaction

_SCHEMA = """
create table if not exists records (
    seq integer primary key,
    topic text not null,
    partition integer not null,
    offset integer not null,
    at_ms integer not null,
    key text not null,
    value blob not null,
    headers blob not null,
    unique (topic, partition, offset)
)
"""
_IDENTITY = "create table if not exists identity (log_id text not null)"
_INSERT = "insert into records (topic, partition, offset, at_ms, key, value, headers) values "
_ROW = "(?, ?, ?, ?, ?, ?, ?)"
_COLUMNS = 7
# Each statement lets go of the interpreter's lock, and a busy event loop gives it back late: with one statement a row a
# batch of a hundred took 50 ms, with these 12 ms.
_ROWS_A_STATEMENT = 500
_SELECT = """
select offset, key, value, headers from records
where topic = ? and partition = ? and offset >= ? and offset < ? order by offset limit ?
"""
# SQLite answers each of the two with one step into the index, but `min(offset), max(offset)` with a walk along it.
_SPAN = """
select (select min(offset) from records where topic = ? and partition = ?),
       (select max(offset) from records where topic = ? and partition = ?)
"""
# The newest record of a place always stays: it is what the next offset is known by.
_DELETE = """
delete from records where topic = :topic and partition = :partition and offset <= (
    select max(offset) from (
        select offset, at_ms from records
        where topic = :topic and partition = :partition and offset < :newest order by offset limit :limit
    ) where at_ms < :before_ms
)
"""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(dict[str, bytes]).decode


class Log:
    """The records of `topic_partitions` in the file at `path`, which nobody else has open while this has.

    Raises `Misconfigured` if another process has it or it can't be kept safely.
    """

    def __init__(self, path: Path, topic_partitions: Iterable[TopicPartition]) -> None:
        self._lock = _claimed(path)
        try:
            self._writer = _connect(path)
            self._reader = _connect(path)
            self.id = self._identity()
            self.found = {topic_partition: self._span(topic_partition) for topic_partition in topic_partitions}
        except sqlite3.Error as error:
            os.close(self._lock)
            raise Misconfigured(
                f"the event log {path} can't be opened: {error}. Put the data folder (BATON_DATA) on a local disk, "
                "or restore the file from a backup."
            ) from error
        self._ends = {topic_partition: span.end for topic_partition, span in self.found.items()}

    def append(
        self, topic_partitions: Sequence[tuple[TopicPartition, Sequence[Message]]], at_ms: int
    ) -> Mapping[TopicPartition, int]:
        """Write all or nothing, synced to disk, stamped `at_ms`; the next offset of each place that grew.

        Raises `sqlite3.Error`.
        """
        ends: dict[TopicPartition, int] = {}
        values: list[object] = []
        for topic_partition, messages in topic_partitions:
            start = ends.get(topic_partition, self._ends[topic_partition])
            topic, partition = topic_partition
            for offset, message in enumerate(messages, start):
                headers = _encode(dict(message.headers))
                values += (topic, partition, offset, at_ms, message.key, message.value, headers)
            ends[topic_partition] = start + len(messages)
        self._insert(values)
        self._ends.update(ends)
        return ends

    def read(self, spans: Sequence[tuple[TopicPartition, Span]], max_records: int) -> list[Record]:
        """Up to `max_records` records of these spans, place after place. Raises `sqlite3.Error`."""
        records: list[Record] = []
        for (topic, partition), (start, end, _) in spans:
            rows = self._reader.execute(_SELECT, (topic, partition, start, end, max_records - len(records)))
            records += [
                Record(topic, partition, at, key, value, _decode(headers))
                for at, key, value, headers in rows.fetchall()
            ]
            if len(records) >= max_records:
                break
        return records

    def forget(self, topic_partition: TopicPartition, *, before_ms: int, max_records: int) -> int:
        """Delete up to `max_records` of the oldest records of `topic_partition` stamped earlier; how many went.

        Raises `sqlite3.Error`.
        """
        newest = self._ends[topic_partition] - 1
        topic, partition = topic_partition
        cursor = self._writer.execute(
            _DELETE,
            {"topic": topic, "partition": partition, "newest": newest, "limit": max_records, "before_ms": before_ms},
        )
        return cursor.rowcount

    def check(self) -> None:
        """Raise `sqlite3.Error` unless the file answers."""
        self._writer.execute("select 1 from records limit 1").fetchone()

    def close(self) -> None:
        """Close the file and let others have it."""
        with suppress(sqlite3.Error):
            self._reader.close()
            self._writer.close()
        os.close(self._lock)

    def _span(self, topic_partition: TopicPartition) -> Span:
        first, newest = self._writer.execute(_SPAN, topic_partition * 2).fetchone()
        return Span(0, 0, self.id) if newest is None else Span(first, newest + 1, self.id)

    def _identity(self) -> str:
        self._writer.execute(_IDENTITY)
        self._writer.execute(
            "insert into identity select lower(hex(randomblob(16))) where not exists (select 1 from identity)"
        )
        return str(self._writer.execute("select log_id from identity").fetchone()[0])

    def _insert(self, values: list[object]) -> None:
        size = _ROWS_A_STATEMENT * _COLUMNS
        with transaction(self._writer) as sql:
            for start in range(0, len(values), size):
                chunk = values[start : start + size]
                sql.execute(_INSERT + ", ".join([_ROW] * (len(chunk) // _COLUMNS)), chunk)


def _connect(path: Path) -> sqlite3.Connection:
    connection = connect(path, any_thread=True)
    connection.execute(_SCHEMA)
    return connection


def _claimed(path: Path) -> int:
    try:
        lock = claim(path.with_name(path.name + ".lock"))
    except OSError as error:
        raise Misconfigured(
            f"the data folder {path.parent} can't be used: {error.strerror}. Set BATON_DATA."
        ) from error
    if lock is None:
        raise Misconfigured(
            f"the data folder {path.parent} is in use by another Baton; stop it or set BATON_DATA to another folder"
        )
    return lock

"""The bus of a single process: one writer thread that commits what many callers brought in one transaction, one reader
thread, and members that wake when something was appended.
"""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from math import isinf
from pathlib import Path
from typing import TypeVar

from shared import log
from shared.bus.embedded.group import EmbeddedMember, Group
from shared.bus.embedded.log import Log
from shared.bus.partition import by_partition, partition_of
from shared.bus.topics import Topic
from shared.domain.errors import Unavailable
from shared.ports import Clock, GroupMember, LoadPositions, Message, Record, Span, TopicPartition

_T = TypeVar("_T")
_MAX_IN_A_COMMIT = 5_000
_MAX_FORGOTTEN_AT_ONCE = 1_000
_LOOK_FOR_OLD_EVERY_S = 60.0
_CLOSE_WITHIN_S = 5.0
_PING_WITHIN_S = 3.0

_log = log.get("bus")


class EmbeddedBus:
    """The event log in the file `path`; see `shared.ports.Bus`. `clock` timestamps the records."""

    def __init__(self, path: Path, topics: Mapping[str, Topic], clock: Clock) -> None:
        self._path = path
        self._topics = topics
        self._clock = clock
        self._log: Log | None = None
        self._spans: dict[TopicPartition, Span] = {}
        self._groups: dict[str, Group] = {}
        self._waiting: list[tuple[dict[TopicPartition, list[Message]], asyncio.Future[None]]] = []
        self._writing: asyncio.Task[None] | None = None
        self._forgetting: asyncio.Task[None] | None = None
        self._write_thread = ThreadPoolExecutor(1, thread_name_prefix="log-write")
        self._read_thread = ThreadPoolExecutor(1, thread_name_prefix="log-read")

    async def start(self) -> None:
        """Open the log. Raises `Misconfigured` if another process has it or the folder can't be used."""
        topic_partitions = [
            (topic.name, partition) for topic in self._topics.values() for partition in range(topic.partitions)
        ]
        self._log = await self._in(self._write_thread, lambda: Log(self._path, topic_partitions))
        self._spans = dict(self._log.found)
        self._forgetting = asyncio.create_task(self._forget_now_and_then())

    async def publish(self, messages: Sequence[Message]) -> None:
        """See `shared.ports.Bus.publish`; here `Unavailable` means that nothing was written."""
        if not messages:
            return
        self._opened()
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((by_partition(messages, self._topics), done))
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write())
        await done

    async def subscribe(self, *, group: str, topics: Sequence[str], positions: LoadPositions) -> GroupMember:
        """See `shared.ports.Bus.subscribe`."""
        self._opened()
        joined = self._groups.setdefault(group, Group(self.partitions))
        return EmbeddedMember(joined, topics, positions, self._read, self._spans.__getitem__)

    async def spans(self, topic_partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, Span]:
        """See `shared.ports.Bus.spans`."""
        self._opened()
        return {topic_partition: self._spans[topic_partition] for topic_partition in topic_partitions}

    async def ends(self, topic_partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        """See `shared.ports.Bus.ends`."""
        self._opened()
        return {topic_partition: self._spans[topic_partition].end for topic_partition in topic_partitions}

    def partitions(self, topic: str) -> int:
        """See `shared.ports.Bus.partitions`."""
        return self._topics[topic].partitions

    def partition_of(self, topic: str, key: str) -> int:
        """See `shared.ports.Bus.partition_of`."""
        return partition_of(key, self._topics[topic].partitions)

    async def ping(self) -> None:
        """See `shared.ports.Bus.ping`."""
        check = self._opened().check
        try:
            async with asyncio.timeout(_PING_WITHIN_S):
                await self._in(self._write_thread, check)
        except (sqlite3.Error, TimeoutError) as error:
            why = str(error) or "the disk is too slow"
            raise Unavailable(f"the event log {self._path} does not answer: {why}") from error

    async def forget_old(self) -> int:
        """Delete records older than their topic's retention, a thousand at a time between writes; how many went.

        The newest record of each place stays.
        """
        now_ms = self._now_ms()
        total = 0
        for topic_partition in self._spans:
            retention_s = self._topics[topic_partition[0]].retention_s
            if isinf(retention_s):
                continue
            forget = partial(
                self._opened().forget,
                topic_partition,
                before_ms=now_ms - int(retention_s * 1000),
                max_records=_MAX_FORGOTTEN_AT_ONCE,
            )
            gone = _MAX_FORGOTTEN_AT_ONCE
            while gone == _MAX_FORGOTTEN_AT_ONCE:
                gone = await self._in(self._write_thread, forget)
                start, end, log_id = self._spans[topic_partition]
                self._spans[topic_partition] = Span(start + gone, end, log_id)
                total += gone
        return total

    async def close(self) -> None:
        """See `shared.ports.Bus.close`. Waits for pending writes."""
        if self._forgetting is not None:
            self._forgetting.cancel()
        for group in self._groups.values():
            for member in tuple(group.members):
                await member.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_WITHIN_S):
                while self._writing is not None and not self._writing.done():
                    await self._writing
                if self._log is not None:
                    opened, self._log = self._log, None
                    await self._in(self._read_thread, lambda: None)
                    await self._in(self._write_thread, opened.close)
        self._write_thread.shutdown(wait=False)
        self._read_thread.shutdown(wait=False)

    async def _write(self) -> None:
        opened = self._opened()
        while self._waiting:
            batch = self._next_batch()
            topic_partitions = [item for each, _ in batch for item in each.items()]
            at_ms = self._now_ms()
            try:
                ends = await self._in(self._write_thread, partial(opened.append, topic_partitions, at_ms))
            except Exception as error:  # never leave a caller waiting
                for _, done in batch:
                    if not done.done():
                        done.set_exception(_unwritten(self._path, error))
                continue
            self._spans.update(
                {
                    topic_partition: self._spans[topic_partition]._replace(end=end)
                    for topic_partition, end in ends.items()
                }
            )
            for _, done in batch:
                if not done.done():
                    done.set_result(None)
            for group in self._groups.values():
                for member in group.members:
                    member.wake(ends)

    def _next_batch(self) -> list[tuple[dict[TopicPartition, list[Message]], asyncio.Future[None]]]:
        size = taken = 0
        for topic_partitions, _ in self._waiting:
            size += sum(map(len, topic_partitions.values()))
            if taken and size > _MAX_IN_A_COMMIT:
                break
            taken += 1
        batch, self._waiting = self._waiting[:taken], self._waiting[taken:]
        return batch

    async def _read(self, spans: Sequence[tuple[TopicPartition, Span]], max_records: int) -> list[Record]:
        try:
            return await self._in(self._read_thread, partial(self._opened().read, spans, max_records))
        except sqlite3.Error as error:
            raise Unavailable(f"the event log {self._path} can't be read: {error}") from error

    async def _forget_now_and_then(self) -> None:
        while True:
            try:
                await self.forget_old()
            except sqlite3.Error as error:
                _log.warning("old_records_not_deleted", why=str(error))
            await asyncio.sleep(_LOOK_FOR_OLD_EVERY_S)

    def _now_ms(self) -> int:
        return int(self._clock.now().timestamp() * 1000)

    def _opened(self) -> Log:
        if self._log is None:
            raise Unavailable("the event log is closed")
        return self._log

    def _in(self, thread: ThreadPoolExecutor, work: Callable[[], _T]) -> Awaitable[_T]:
        return asyncio.get_running_loop().run_in_executor(thread, work)


def _unwritten(path: Path, error: Exception) -> Exception:
    if not isinstance(error, sqlite3.Error):
        return error
    if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
        return Unavailable(f"the disk of {path} is full, nothing was written: free space there")
    return Unavailable(f"the event log {path} can't be written: {error}. Nothing was written.")

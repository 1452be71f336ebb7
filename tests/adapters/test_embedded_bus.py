"""What only the embedded log promises: its file outlives the process, belongs to one, and does not grow forever."""

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from shared.bus.embedded import EmbeddedBus
from shared.bus.topics import Topic
from shared.clock import SystemClock
from shared.domain.errors import Misconfigured
from shared.ports import Clock, Message, Record
from tests.kit.clocks import ManualClock
from tests.kit.services import from_start

TOPICS = {
    "leads": Topic("leads", 4, 1, 1, {"retention.ms": "60000"}),
    "for-good": Topic("for-good", 4, 1, 1, {}),
}

WRITER = """
import asyncio, sys
from pathlib import Path
from shared.bus.embedded import EmbeddedBus
from shared.bus.topics import Topic
from shared.clock import SystemClock
from shared.ports import Message

async def write():
    bus = EmbeddedBus(Path(sys.argv[1]), {"leads": Topic("leads", 4, 1, 1, {})}, SystemClock())
    await bus.start()
    number = 0
    while True:
        size = 1 + number % 40
        await bus.publish([Message("leads", f"lead-{n % 7}", b"%d" % n, ()) for n in range(number, number + size)])
        number += size
        sys.stdout.write(f"{number}\\n")
        sys.stdout.flush()

asyncio.run(write())
"""


@asynccontextmanager
async def opened(path: Path, clock: Clock | None = None) -> AsyncIterator[EmbeddedBus]:
    bus = EmbeddedBus(path, TOPICS, clock or SystemClock())
    await bus.start()
    try:
        yield bus
    finally:
        await bus.close()


async def everything(bus: EmbeddedBus, topic: str = "leads") -> Sequence[Record]:
    member = await bus.subscribe(group="reader", topics=[topic], positions=from_start)
    records = await member.poll(max_records=1_000_000, wait_s=0)
    await member.close()
    return records


async def test_what_was_acknowledged_is_there_after_the_process_was_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WRITER, str(tmp_path / "bus.db")]
    writer = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert writer.stdout is not None
    acknowledged = 0
    while acknowledged < 2_000:
        acknowledged = int(await writer.stdout.readline())
    writer.kill()
    for line in (await writer.stdout.read()).splitlines(keepends=True):
        acknowledged = int(line) if line.endswith(b"\n") else acknowledged
    await writer.wait()

    async with opened(tmp_path / "bus.db") as bus:
        records = await everything(bus)
        numbers = sorted(int(record.value) for record in records)
        assert numbers == list(range(len(numbers)))
        assert len(numbers) >= acknowledged
        for partition in range(4):
            mine = [record for record in records if record.partition == partition]
            assert [record.offset for record in mine] == list(range(len(mine)))
            assert [int(record.value) for record in mine] == sorted(int(record.value) for record in mine)
        await bus.publish([Message("leads", "lead-0", b"after", ())])
        assert [record.value for record in await everything(bus)].count(b"after") == 1


async def test_a_second_process_is_refused_because_the_folder_is_in_use(tmp_path: Path) -> None:
    async with opened(tmp_path / "bus.db"):
        second = EmbeddedBus(tmp_path / "bus.db", TOPICS, SystemClock())
        with pytest.raises(Misconfigured, match="in use by another Baton; stop it or set BATON_DATA") as refused:
            await second.start()
        assert str(tmp_path) in str(refused.value)
        await second.close()
    async with opened(tmp_path / "bus.db"):
        pass


async def test_records_are_forgotten_after_their_topics_retention_and_not_before(tmp_path: Path) -> None:
    clock = ManualClock()
    async with opened(tmp_path / "bus.db", clock) as bus:
        for topic in TOPICS:
            await bus.publish([Message(topic, "lead", b"%d" % n, (), partition=n % 2) for n in range(3_000)])
        clock.at += timedelta(seconds=59)
        assert await bus.forget_old() == 0
        await bus.publish([Message("leads", "lead", b"young", (), partition=0)])
        clock.at += timedelta(seconds=2)
        assert await bus.forget_old() == 1_500 + 1_499
        records = [(record.partition, record.offset, record.value) for record in await everything(bus)]
        assert sorted(records) == [(0, 1_500, b"young"), (1, 1_499, b"2999")]
        assert len(await everything(bus, "for-good")) == 3_000
    async with opened(tmp_path / "bus.db", clock) as bus:
        await bus.publish([Message("leads", "lead", b"next", (), partition=1)])
        # The one before is old by now, and may have gone since the start.
        assert [record.offset for record in await everything(bus) if record.partition == 1][-1] == 1_500

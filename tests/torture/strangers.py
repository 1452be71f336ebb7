"""Strangers who post whatever they like while the others work, and write to the topics as well; and what has to become
of it: what was accepted is an inquiry like any other, or it is quarantined."""

import asyncio
import itertools
import random
from collections.abc import Sequence

import httpx
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from tests.fuzz.hostile import Attempt, attempts
from tests.torture.checker import HOSTILE_KEY
from tests.torture.ledger import Inquiry, Ledger
from tests.torture.load import now
from tests.torture.records import MARK
from tests.torture.rig import FORM, GOOGLE

_PAUSE_S = 0.2
_HEADERS = [("ce_type", b"baton.inquiry.received.v1"), ("ce_id", b"hostile"), ("ce_source", b"/"), ("ce_time", b"now")]
_RECORDS: tuple[tuple[str, bytes, list[tuple[str, bytes]]], ...] = (
    ("baton.inquiries.v1", b"[" * 3000 + b"]" * 3000, _HEADERS),
    ("baton.inquiries.v1", b"x" * 1_700_000, _HEADERS),
    ("baton.inquiries.v1", b'{"lead_id":' * 20_000, _HEADERS),
    ("baton.activities.v1", b"\xff" * 100, [("ce_type", b"\xff")]),
    ("baton.assignments.v1", b"{}", []),
    ("baton.escalations.v1", b"", [("ce_type", b"baton.window.breached.v1")]),
)


class Strangers:
    """Post to the ingest processes at `ports` all that they read without a key, over and over, and write records that
    no service can read. The ledger has what was accepted, and what has to be quarantined.
    """

    def __init__(self, ports: Sequence[int], bootstrap: str, ledger: Ledger) -> None:
        self._ports = ports
        self._bootstrap = bootstrap
        self._ledger = ledger
        self._stopping = asyncio.Event()
        self.sent = 0

    def stop(self) -> None:
        """Send what is begun, and no more."""
        self._stopping.set()

    async def run(self) -> None:
        """Go on until stopped."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._post())
            group.create_task(self._write())

    async def _post(self) -> None:
        mine = [each for each in attempts(FORM, GOOGLE, "nobody") if each.path in (FORM, GOOGLE)]
        async with httpx.AsyncClient(timeout=5) as client:
            for attempt in itertools.cycle(mine):
                if await self._stopped(_PAUSE_S):
                    return
                await self._one(client, attempt)

    async def _one(self, client: httpx.AsyncClient, attempt: Attempt) -> None:
        """Until it is answered: what a process accepted before it was killed is in the ledger, too."""
        name, readable = attempt.body[:40].decode("latin-1"), attempt.body.startswith(b"email=hostile-")
        if readable:
            inquiry = self._ledger.inquiries.setdefault(name, Inquiry(name, now()))
        status, results = await self._answered(client, attempt)
        self.sent += 1
        if not 200 <= status < 300:
            return
        for each in results:
            if readable:
                inquiry.accepted_at = inquiry.accepted_at or now()
                inquiry.answers.add((each["inquiry_id"], each["lead_id"]))
            else:
                self._ledger.set_aside.add(each["inquiry_id"])

    async def _answered(self, client: httpx.AsyncClient, attempt: Attempt) -> tuple[int, list[dict[str, str]]]:
        while True:
            url = f"http://127.0.0.1:{random.choice(self._ports)}{attempt.path}"
            try:
                answer = await client.post(url, content=attempt.body, headers=attempt.headers)
            except httpx.TransportError:
                await asyncio.sleep(_PAUSE_S)
                continue
            if answer.status_code != 503:
                assert answer.status_code < 500, f"{attempt.path} answered {answer.status_code}: {answer.text}"
                return answer.status_code, answer.json().get("results", [])
            await asyncio.sleep(_PAUSE_S)

    async def _write(self) -> None:
        producer = AIOKafkaProducer(bootstrap_servers=self._bootstrap, acks="all", max_request_size=2_000_000)
        await producer.start()
        try:
            for topic, value, headers in itertools.cycle(_RECORDS):
                if await self._stopped(10 * _PAUSE_S):
                    return
                await self._until_written(producer, topic, value, [MARK, *headers])
        finally:
            await producer.stop()

    async def _until_written(
        self, producer: AIOKafkaProducer, topic: str, value: bytes, headers: list[tuple[str, bytes]]
    ) -> None:
        while True:
            try:
                place = await producer.send_and_wait(topic, value, HOSTILE_KEY.encode(), headers=headers)
            except KafkaError:
                await asyncio.sleep(_PAUSE_S)  # perhaps it is written all the same, and quarantined, which is allowed
            else:
                self._ledger.bad_records.add((topic, f"{topic}/{place.partition}/{place.offset}"))
                self.sent += 1
                return

    async def _stopped(self, within_s: float) -> bool:
        try:
            async with asyncio.timeout(within_s):
                return await self._stopping.wait()
        except TimeoutError:
            return False

"""Hostile records, written to the topics of running services, with good leads between them."""

import asyncio
import contextlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.bus.envelope import Envelope, encode
from shared.bus.topics import read_topics
from shared.domain.errors import Refused
from shared.domain.events import TYPES, InquiryReceived
from shared.domain.lead import Consent, Contact
from shared.ports import Message
from tests.fuzz.everything import Everything, everything
from tests.fuzz.growth import UNITS
from tests.fuzz.strategies import texts, values

_NOW = "2026-11-23T09:00:00Z"
_FIELDS = {"lead_id": "l_1", "inquiry_id": "inq_1", "accepted_at": _NOW, "at": _NOW, "contact": {}, "generation": 1}
_header = texts.map(lambda text: text.encode(errors="replace")) | st.binary(max_size=20)
_headers = st.fixed_dictionaries(
    {
        "ce_id": st.uuids().map(lambda number: str(number).encode()) | _header,
        "ce_type": st.sampled_from(sorted(TYPES)).map(str.encode) | _header,
        "ce_source": st.just(b"test") | _header,
        "ce_time": st.just(_NOW.encode()) | _header,
    },
    optional={"content-type": _header},
)
_event = st.dictionaries(st.sampled_from([*_FIELDS, "rep", "pool", "upto", "respond_by", "due_at"]) | texts, values)
_value = st.one_of(
    _event.map(lambda fields: json.dumps({**_FIELDS, **fields}).encode()),
    st.sampled_from(UNITS).map(lambda unit: unit * (20_000 // len(unit))),
    st.binary(max_size=100),
)
_key = texts.filter(lambda text: len(text) < 200)
_records = st.builds(
    lambda topic, key, value, headers: Message(topic, key, value, tuple(headers.items())),
    st.sampled_from(sorted(read_topics())),
    _key,
    _value,
    _headers,
)


async def write_anything(folder: Path, how: settings) -> None:
    """Write as many records as `how` has examples; after every tenth a good lead has to be assigned."""
    hostile = await asyncio.to_thread(_drawn, how)
    async with everything(folder) as baton, asyncio.timeout(10 + 2 * len(hostile)):
        for number, message in enumerate(hostile):
            await _write(baton, message)
            assert not baton.ended(), (message, baton.ended())
            if number % 10 == 9:
                await baton.bus.publish([_good(number)])
                while not await _assigned(baton, number):
                    assert not baton.ended(), (message, baton.ended())
                    await asyncio.sleep(0.05)


def _drawn(how: settings) -> list[Message]:
    drawn: list[Message] = []

    def draw(record: Message) -> None:
        drawn.append(record)

    how(given(_records)(draw))()
    return drawn


async def _assigned(baton: Everything, number: int) -> bool:
    async with baton.database.read() as tx:
        query = sa.text("SELECT count(*) FROM router_assignments WHERE lead_id = :lead AND active")
        found: Any = (await tx.execute(query, {"lead": f"l_good{number}"})).scalar_one()
    return bool(found)


async def _write(baton: Everything, message: Message) -> None:
    with contextlib.suppress(Refused):  # what the log does not take nobody has to read
        await baton.bus.publish([message])


def _good(number: int) -> Message:
    now = datetime.now(UTC)
    event = InquiryReceived(
        lead_id=f"l_good{number}",
        inquiry_id=f"inq_good{number}",
        accepted_at=now,
        kind="demo_request",
        source="website",
        contact=Contact(email=f"good{number}@example.com", seniority="director"),
        consent=Consent(basis="opt_in"),
    )
    return encode(Envelope(f"ev_good{number}", "test", now, event))

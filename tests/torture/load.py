"""The people around Baton: senders who post leads and post them again, reps who follow up early, late or never."""

import asyncio
import itertools
import random
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from tests.torture.client import Sender
from tests.torture.ledger import Activity, Inquiry, Ledger, Record

LARGE = 1000
"""Employees from which on a lead goes to the pool whose one member nobody can take a lead over from."""


@dataclass(frozen=True)
class Habits:
    """How people behave. `follow_ups` are weights of early, near the deadline, late, never."""

    leads: int
    per_s: float
    posted_again: float = 0.1
    asked_again: float = 0.05
    unfit: float = 0.04
    to_large: float = 0.5
    follow_ups: tuple[int, int, int, int] = (30, 18, 12, 40)


class Crowd:
    """Posts everything and writes the ledger; `seed` decides who does what. `pending` follow-ups are planned or on
    their way."""

    def __init__(self, sender: Sender, ledger: Ledger, habits: Habits, seed: int) -> None:
        self._sender = sender
        self._ledger = ledger
        self._habits = habits
        self._random = random.Random(seed)
        self._plans: asyncio.Queue[tuple[str, str, str, float]] = asyncio.Queue()
        self._activities = 0
        self.pending = 0
        self._enough = asyncio.Event()

    @property
    def repeats(self) -> int:
        """How many requests had to be sent again because nobody knew what had become of them."""
        return self._sender.repeats

    async def close(self) -> None:
        """Close the connections."""
        await self._sender.close()

    async def post_leads(self) -> None:
        """Post all leads at the given rate, and more until `enough`; return when each is accepted."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        async with asyncio.TaskGroup() as group:
            for number in itertools.count():
                if number >= self._habits.leads and self._enough.is_set():
                    break
                await asyncio.sleep(began + number / self._habits.per_s - loop.time())
                group.create_task(self._person(number))

    def enough(self) -> None:
        """Post no leads beyond the planned ones from now on."""
        self._enough.set()

    async def follow_up(self) -> None:
        """Carry out what is planned, until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                group.create_task(self._act(*await self._plans.get()))

    def on_assigned(self, record: Record) -> None:
        """A rep learns of a lead and decides when to call, if at all."""
        data = record.data
        respond_by = datetime.fromisoformat(data["respond_by"]).timestamp()
        early, near, late, never = self._habits.follow_ups
        habit = self._random.choices(("early", "near", "late", "never"), (early, near, late, never))[0]
        if habit == "early" and data["generation"] > 1:
            self._plan(record.lead_id, "call", respond_by - self._random.uniform(2, 5))
        if habit == "near":
            self._plan(record.lead_id, "call", respond_by + self._random.uniform(-1.0, 1.8))
        if habit == "late":
            self._plan(record.lead_id, "call", respond_by + self._random.uniform(1.5, 3.5))
        if data["pool"] != "alone":
            # Otherwise a lead that nobody follows up is moved from one member of the pool to the other forever.
            self._plan(record.lead_id, "lost", respond_by + self._random.uniform(6, 8))

    async def _person(self, number: int) -> None:
        draw, habits = self._random, self._habits
        contact = {"email": f"person-{number}@example.com", "country": "BE"}
        if draw.random() < habits.unfit:
            contact["seniority"] = "student"
        lead = {
            "source": "website",
            "kind": "demo_request",
            "external_id": f"web-{number}",
            "contact": contact,
            "company": {"employees": LARGE if draw.random() < habits.to_large else 50},
            "consent": {"basis": "opt_in"},
        }
        again, other = draw.random() < habits.posted_again, draw.random() < habits.asked_again
        pause_s, other_pause_s, early_s = draw.uniform(0, 2), draw.uniform(0, 6), draw.uniform(0, 3)
        calls_early = draw.random() * 100 < habits.follow_ups[0]
        async with asyncio.TaskGroup() as group:
            lead_id = await self._post(lead)
            if again:
                group.create_task(self._later(pause_s, lead))
            if other:
                group.create_task(self._later(other_pause_s, {**lead, "external_id": f"web-{number}-again"}))
            if calls_early:
                # Perhaps before anyone has the lead: what was done for it since it came in counts.
                self._plan(lead_id, "call", now().timestamp() + early_s)

    async def _later(self, pause_s: float, lead: dict[str, Any]) -> None:
        await asyncio.sleep(pause_s)
        await self._post(lead)

    async def _post(self, lead: dict[str, Any]) -> str:
        external_id = str(lead["external_id"])
        inquiry = self._ledger.inquiries.setdefault(external_id, Inquiry(external_id, now()))
        result = await self._sender.until_accepted("/v1/leads", lead)
        inquiry.accepted_at = inquiry.accepted_at or now()
        inquiry.answers.add((result["inquiry_id"], result["lead_id"]))
        return str(result["lead_id"])

    def _plan(self, lead_id: str, kind: str, at: float) -> None:
        self._activities += 1
        self.pending += 1
        self._plans.put_nowait((f"torture-{self._activities}", lead_id, kind, at))

    async def _act(self, activity_id: str, lead_id: str, kind: str, at: float) -> None:
        await asyncio.sleep(at - now().timestamp())
        activity = Activity(activity_id, lead_id, kind, now())
        self._ledger.activities[activity_id] = activity
        item = {"activity_id": activity_id, "lead_id": lead_id, "kind": kind}
        await self._sender.until_accepted("/v1/activities", item)
        activity.accepted_at = now()
        self.pending -= 1


def now() -> datetime:
    """This process's clock."""
    return datetime.now(UTC)

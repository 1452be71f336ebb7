"""The people around Baton: senders who post leads and post them again, reps who follow up early, late or never, and
somebody who moves leads by hand."""

import asyncio
import itertools
import json
import random
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.torture.client import Refused, Sender
from tests.torture.ledger import MOVES_BY_NAME, MOVES_BY_TURN, Activity, Inquiry, Ledger, Move, Record
from tests.torture.people import LARGE, Contact, Habits, Person, lead_of, people

_CONFLICTS = (404, 409, 422)


class Crowd:
    """Posts everything through `sender`, moves leads through `mover` and writes the ledger; `seed` decides who does
    what. `pending` follow-ups and moves are planned or on their way."""

    def __init__(self, sender: Sender, mover: Sender, ledger: Ledger, habits: Habits, seed: int) -> None:
        self._sender = sender
        self._mover = mover
        self._ledger = ledger
        self._habits = habits
        self._random = random.Random(seed)
        self._people: dict[str, Person] = {}
        self._plans: asyncio.Queue[tuple[str, Person, str, float, float | None]] = asyncio.Queue()
        self._moves: asyncio.Queue[tuple[str, dict[str, str], float]] = asyncio.Queue()
        self._activities = 0
        self.pending = 0
        self._enough = asyncio.Event()

    @property
    def repeats(self) -> int:
        """How many requests had to be sent again because nobody knew what had become of them."""
        return self._sender.repeats + self._mover.repeats

    async def close(self) -> None:
        """Close the connections."""
        await self._sender.close()
        await self._mover.close()

    async def post_leads(self) -> None:
        """Post all leads at the given rate, and more until `enough`; return when each is accepted."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        async with asyncio.TaskGroup() as group:
            for number in itertools.count():
                if number >= self._habits.leads and self._enough.is_set():
                    break
                await asyncio.sleep(began + number / self._habits.per_s - loop.time())
                for person in people(number, self._habits, self._random):
                    group.create_task(self._ask(person))

    def enough(self) -> None:
        """Post no leads beyond the planned ones from now on."""
        self._enough.set()

    async def follow_up(self) -> None:
        """Carry out what is planned, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._move_leads())
            while True:
                group.create_task(self._act(*await self._plans.get()))

    def on_assigned(self, record: Record) -> None:
        """A rep learns of a lead and decides when to call, if at all."""
        data, draw = record.data, self._random
        contact = data["contact"]
        person = self._people.get(contact.get("email") or contact.get("phone"))
        if person is None:
            return
        respond_by = datetime.fromisoformat(data["respond_by"]).timestamp()
        habit = draw.choices(("early", "near", "late", "never"), self._habits.follow_ups)[0]
        if habit == "early" and data["generation"] > 1:
            self._plan(person, "call", respond_by - draw.uniform(2, 5))
        if habit == "near":
            self._plan(person, "call", respond_by + draw.uniform(-1.0, 1.8))
        if habit == "late":
            self._plan(person, "call", respond_by + draw.uniform(1.5, 3.5))
        by_hand = draw.random() < self._habits.moved_by_hand
        if by_hand:
            to = {"pool": "benelux"} if data["pool"] == "alone" else {"rep": draw.choice(("ann", "bob"))}
            self.pending += 1
            self._moves.put_nowait((record.lead_id, to, respond_by + draw.uniform(-4, 4)))
        if person.end != "lost" or data["pool"] != "alone" or by_hand:
            self._plan_end(person, respond_by)

    def _plan_end(self, person: Person, respond_by: float) -> None:
        """Otherwise a lead that nobody follows up is moved from one member of the pool to the other."""
        end_at = respond_by + self._random.uniform(6, 8)
        if person.end == "overruled":
            rejected_at = self._random.choice((end_at, respond_by - self._random.uniform(1, 3)))
            accepted_at = rejected_at + self._random.uniform(1, 3)
            self._plan(person, "rejected", rejected_at)
            self._plan(person, "accepted", accepted_at)
            end_at = max(end_at, accepted_at) + self._random.uniform(2, 9)
        self._plan(person, "won" if person.end == "won" else "lost", end_at)

    async def _ask(self, person: Person) -> None:
        draw, habits = self._random, self._habits
        employees = LARGE if draw.random() < habits.to_large else 50
        posts = [(at, lead_of(person, n, contact, employees)) for n, (at, contact) in enumerate(person.posts)]
        self._people |= dict.fromkeys(person.keys, person)
        first = posts[0][1]
        if draw.random() < habits.posted_again:
            posts.append((draw.uniform(0, 2), first))
        if draw.random() < habits.asked_again:
            contact: Contact = {**first["contact"]}
            if draw.random() < habits.hotter:
                contact.setdefault("seniority", "director")
            posts.append((draw.uniform(0, 6), lead_of(person, 9, contact, employees)))
        early_s, calls_early = draw.uniform(0, 3), draw.random() * 100 < habits.follow_ups[0]
        async with asyncio.TaskGroup() as group:
            for pause_s, lead in posts[1:]:
                group.create_task(self._later(pause_s, person, lead))
            await self._post(person, first)
            if calls_early:
                # Perhaps before anyone has the lead: what was done for it since it came in counts.
                self._plan(person, "call", now().timestamp() + early_s)

    async def _later(self, pause_s: float, person: Person, lead: dict[str, Any]) -> None:
        await asyncio.sleep(pause_s)
        await self._post(person, lead)

    async def _post(self, person: Person, lead: dict[str, Any]) -> None:
        external_id = str(lead["external_id"])
        inquiry = self._ledger.inquiries.setdefault(external_id, Inquiry(external_id, now(), person=person.name))
        result = await self._sender.until_accepted("/v1/leads", lead)
        inquiry.accepted_at = inquiry.accepted_at or now()
        inquiry.answers.add((result["inquiry_id"], result["lead_id"]))
        if result["inquiry_id"] not in person.inquiry_ids:
            person.inquiry_ids.append(result["inquiry_id"])
        if result["lead_id"] not in person.ids:
            person.ids.append(result["lead_id"])

    def _plan(self, person: Person, kind: str, at: float) -> None:
        self._activities += 1
        self.pending += 1
        dated = kind == "call" and self._random.random() < self._habits.dated
        back_s = self._random.uniform(0, 8) if dated else None
        self._plans.put_nowait((f"torture-{self._activities}", person, kind, at, back_s))

    async def _act(self, activity_id: str, person: Person, kind: str, at: float, back_s: float | None) -> None:
        await asyncio.sleep(at - now().timestamp())
        activity = Activity(activity_id, person.name, kind, now())
        self._ledger.activities[activity_id] = activity
        item = {"activity_id": activity_id, "kind": kind, **person.named(self._random)}
        if back_s is not None:
            activity.happened_at = activity.first_tried_at - timedelta(seconds=back_s)
            item["occurred_at"] = activity.happened_at.isoformat()
        if kind == "rejected":
            item["reason"] = "no_budget"
        await self._sender.until_accepted("/v1/activities", item)
        activity.accepted_at = now()
        self.pending -= 1

    async def _move_leads(self) -> None:
        async with asyncio.TaskGroup() as group:
            while True:
                group.create_task(self._move(*await self._moves.get()))

    async def _move(self, lead_id: str, to: dict[str, str], at: float) -> None:
        await asyncio.sleep(at - now().timestamp())
        command = {"to": to, "reason": "knows the company", "by": MOVES_BY_TURN if "pool" in to else MOVES_BY_NAME}
        status, answer = await self._mover.until_answered(f"/v1/leads/{lead_id}/move", command)
        if status == 200:
            lead = json.loads(answer)
            self._ledger.moves.append(Move(lead["lead_id"], lead["owner"]["generation"]))
        elif status not in _CONFLICTS:
            raise Refused(f"the move of {lead_id} answered {status}: {answer.decode()}")
        self.pending -= 1


def now() -> datetime:
    """This process's clock."""
    return datetime.now(UTC)

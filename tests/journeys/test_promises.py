"""Promises in whole layouts, in virtual time: the night of Easter Sunday 2027, when the clocks of Europe go forward.

Each story is about one promise, and its people read only their messages. They act by the links and the addresses there.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import psutil
import pytest

from deploy.local.ports import free_ports
from tests.journeys.outside import ACCEPT, ACKNOWLEDGE, ACKNOWLEDGED, CLOSED, EXHAUSTED, OVERDUE, SOON, Outside, outside
from tests.journeys.processes import Running, assert_audit_finds_nothing, running
from tests.journeys.virtual_time import Conductor, VirtualTime, command
from tests.kit.mail_server import PASSWORD, USER, MailPeer, mail_server
from tests.kit.waiting import until

pytestmark = pytest.mark.xdist_group("layouts")  # one at a time: side by side they only make each other late
PRODUCTION = [pytest.mark.kafka, pytest.mark.postgres]
STARTED = datetime(2027, 3, 28, 0, 30, tzinfo=UTC)
EVENING = datetime(2027, 3, 28, 0, 50, tzinfo=UTC)
"""Ten minutes before the clocks change everywhere in Europe; in the Azores the day ends with that."""
MIDNIGHT = datetime(2027, 3, 28, 1, tzinfo=UTC)
BRUSSELS = ZoneInfo("Europe/Brussels")
AGREED = timedelta(minutes=15)
HAND_OFF_WITHIN = timedelta(minutes=2)


@dataclass
class Company:
    """A running Baton with everyone outside, in virtual time."""

    outside: Outside
    conductor: Conductor

    async def post(self, campaign: str, name: str, **contact: str) -> str:
        """A new lead; its id."""
        given = {"first_name": "Jo", "last_name": name, "country": "BE", **contact}
        asked = {"source": "website", "kind": "demo_request", "campaign": campaign, "message": f"Call {name}, please"}
        company = {"name": f"{name} NV"}
        lead = {**asked, "contact": given, "company": company, "consent": {"basis": "opt_in"}}
        answer = await self.outside.client.post("/v1/leads", json=lead)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["results"][0]["lead_id"])

    async def report(self, lead_id: str, kind: str, **more: str) -> None:
        answer = await self.outside.client.post("/v1/activities", json={"lead_id": lead_id, "kind": kind, **more})
        assert answer.status_code == 202, answer.text

    async def hand_over(self, campaign: str, name: str) -> tuple[str, datetime]:
        """A new lead that someone has: its id, and by when they owe an answer."""
        lead_id = await self.post(campaign, name, email=f"{name.lower()}@example.com")
        assigned = await self.outside.event("lead.assigned", lead_id)
        due_at = datetime.fromisoformat(assigned["respond_by"])
        assert (due_at - datetime.fromisoformat(assigned["assigned_at"])) == AGREED
        return lead_id, due_at

    def pages_on(self, lead_id: str) -> list[dict[str, Any]]:
        """The pages that are due so far about a lead, as events say."""
        return [each for each in self.outside.events("escalation.raised", lead_id) if each["page"] and each["to"]]

    async def is_open(self, period: str, due_at: datetime) -> bool:
        """Whether there is a window for a period that is due then."""
        found = (await self.outside.client.get("/v1/windows", params={"lead_id": period})).json()["items"]
        return [(each["state"], datetime.fromisoformat(each["due_at"])) for each in found] == [("open", due_at)]

    async def tried(self, lead_id: str, person: str, attempts: int) -> bool:
        """Whether a channel was tried so often to reach someone."""
        found = await self.outside.client.get("/v1/notices", params={"lead_id": lead_id, "person": person})
        return any(each["attempts"] >= attempts for each in found.json()["items"])

    async def accounts_for_all(self) -> bool:
        """Whether everything that came in has an end."""
        balance = (await self.outside.client.get("/v1/conservation")).json()
        return (balance["balanced"], balance["in_flight"]) == (True, 0)

    async def past(self, at: datetime, minutes: int = 0) -> None:
        """Wait until so many minutes after the minute of an instant is over: stories meet at full minutes."""
        await self.conductor.until(at.replace(second=0, microsecond=0) + timedelta(minutes=minutes + 1))


Baton = tuple[Running, VirtualTime, MailPeer, dict[str, int]]


@pytest.fixture(params=["embedded", pytest.param("production", marks=PRODUCTION)])
def baton(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Baton]:
    """A whole layout in the night before Easter."""
    folder, kind = tmp_path, request.param
    port, chat, pager, down = free_ports(4)
    address = "http://127.0.0.1"
    with mail_server(folder, "tls") as mail:
        settings = {
            "BATON_PORT": str(port),
            "BATON_PUBLIC_URL": f"{address}:{port}",
            "BATON_DELIVERY_MAIL_SERVER": f"smtps://localhost:{mail.port}",
            "BATON_DELIVERY_MAIL_FROM": "baton@acme.example",
            "BATON_DELIVERY_MAIL_USER": USER,
            "BATON_DELIVERY_MAIL_PASSWORD": PASSWORD,
            "BATON_DELIVERY_MAIL_CA": str(mail.certificate),
            "PAGER_KEY": "key-of-the-pager",
            "PAGER": f"{address}:{pager}/v2/enqueue",
            "CHAT": f"{address}:{chat}/chat",
            "CHAT_THAT_IS_DOWN": f"{address}:{down}/chat",
        }
        url = request.getfixturevalue("fresh_database") if kind == "production" else None
        if url is not None:
            settings["BATON_DATABASE_URL"] = url
        time = VirtualTime(folder / "time", STARTED, url)
        agreement = (Path(__file__).parent / "company.yaml").read_text()
        with running(kind, folder, agreement=agreement, settings=settings, program=command(time.file)) as it:
            yield it, time, mail, {"chat": chat, "pager": pager}


@pytest.mark.timeout(400)
async def test_whoever_reads_only_their_messages_knows_what_to_do(baton: Baton) -> None:
    it, time, mail, places = baton
    async with outside(it.url, it.headers, mail, places) as everyone:
        await time.go_to(EVENING)
        company = Company(everyone, Conductor(time))
        await company.conductor.run(*(story(company) for story in STORIES))
        if it.kind == "production":
            await a_verdict_that_comes_late(company, it.service("router"))
        await asyncio.to_thread(assert_audit_finds_nothing, it, command(time.file))
        await until(company.accounts_for_all)


async def met_in_time(company: Company) -> None:
    """The rep is warned when clocks have gone forward, accepts by the link, and nobody hears of it again."""
    lead_id, due_at = await company.hand_over("prompt", "Prompt")
    assert due_at > MIDNIGHT
    await company.past(due_at, -6)
    warning = await company.outside.mail_to("tim", SOON, "Prompt")
    for what in (_local(due_at), "prompt@example.com", "Prompt NV"):
        assert what in warning.text
    await company.outside.press(warning.link(ACCEPT))
    met = await company.outside.event("window.met", lead_id)
    assert met["owner"] == "tim"
    await company.past(due_at, 2)
    assert company.outside.events("window.breached", lead_id) == []
    assert company.outside.inbox("mia", "Prompt") == []


async def met_late(company: Company) -> None:
    """The rep and the manager hear of the breach; the rep accepts by the link, and both hear that it is over."""
    lead_id, due_at = await company.hand_over("tardy", "Tardy")
    await company.past(due_at)
    overdue = await company.outside.mail_to("lea", OVERDUE, "Tardy")
    above = await company.outside.mail_to("max", OVERDUE, "Tardy")
    assert _local(due_at) in overdue.text
    assert "lea" in above.text
    await company.outside.press(overdue.link(ACCEPT))
    closed = await company.outside.event("escalation.closed", lead_id)
    breached = await company.outside.event("window.breached", lead_id)
    assert closed["window_id"] == breached["window_id"]
    assert breached["at"] == breached["due_at"]
    await company.past(due_at, 2)
    await asyncio.gather(*(company.outside.mail_to(who, CLOSED, "Tardy") for who in ("lea", "max")))
    assert company.outside.events("window.met", lead_id) == []


async def met_late_and_retracted(company: Company) -> None:
    """The call was in time, under the buyer's number; that this is the same person is known only after the breach."""
    by_phone = await company.post("twice", "Twice", phone="+32470112233")
    lead_id, due_at = await company.hand_over("twice", "Twice")
    await company.outside.event("lead.assigned", by_phone)
    await company.report(by_phone, "call", outcome="connected", by="dan")
    await company.outside.event("window.met", by_phone)
    await company.past(due_at)
    await company.outside.mail_to("ona", OVERDUE, "Twice")
    await company.post("twice", "Twice", phone="+32470112233", email="twice@example.com")
    merged = [company.outside.event("lead.merged", each) for each in (by_phone, lead_id)]
    await asyncio.wait([asyncio.ensure_future(each) for each in merged], return_when=asyncio.FIRST_COMPLETED)
    await company.outside.event("breach.retracted", lead_id)
    await company.past(due_at, 2)
    await company.outside.mail_to("ona", CLOSED, "Twice")


async def moved_and_met_by_the_second_rep(company: Company) -> None:
    """The first rep lets the promise pass, and the manager sees to it. The lead moves, and the second rep accepts it by
    the link of a warning.
    """
    lead_id, due_at = await company.hand_over("second", "Second")
    await company.past(due_at)
    overdue = await company.outside.mail_to("nia", OVERDUE, "Second")
    await company.outside.press(overdue.link(ACKNOWLEDGE))
    await company.past(due_at, 5)
    moved = await company.outside.event("lead.reassigned", lead_id)
    first, second = moved["previous_rep"], moved["rep"]["id"]
    assert {first, second} == {"ann", "bob"}
    due_again_at = datetime.fromisoformat(moved["respond_by"])
    await company.past(due_again_at, -6)
    warning = await company.outside.mail_to(second, SOON, "Second")
    assert _local(due_again_at) in warning.text
    await company.outside.press(warning.link(ACCEPT))
    met = await company.outside.event("window.met", lead_id, generation=2)
    assert met["owner"] == second
    await company.outside.event("escalation.closed", lead_id)
    await company.past(due_again_at, 2)
    await company.outside.mail_to("nia", CLOSED, "Second")
    owners = [(each["generation"], each["owner"]) for each in company.outside.events("window.breached", lead_id)]
    assert owners == [(1, first)]


async def acknowledged_then_forgotten(company: Company) -> None:
    """The manager takes it on for an hour by the link, and forgets. Then it comes back, and goes on."""
    lead_id, due_at = await company.hand_over("taken", "Taken")
    await company.past(due_at)
    overdue = await company.outside.mail_to("nora", OVERDUE, "Taken")
    said = await company.outside.chat_with(OVERDUE, "Taken")
    assert _local(due_at) in said.text
    assert said.link(ACCEPT) != said.link(ACKNOWLEDGE)
    await company.outside.press(overdue.link(ACKNOWLEDGE), **{"for": "1 hour"})
    taken = await company.outside.event("escalation.acknowledged", lead_id)
    assert taken["by"] == "nora"
    until_at = datetime.fromisoformat(taken["until"])
    await company.outside.chat_with(ACKNOWLEDGED, "nora")
    await company.past(until_at, -1)
    assert company.outside.pages("Taken") == []
    await company.past(until_at)
    again = await company.outside.event("escalation.raised", lead_id, because="acknowledgement_ended")
    assert "sam" in {each["person"] for each in again["to"]}
    page = await company.outside.page_about("trigger", "Taken")
    await company.outside.press(page.link(ACKNOWLEDGE))
    await company.outside.event("escalation.acknowledged", lead_id, by="sam")
    await company.outside.page_about("acknowledge")
    await company.report(lead_id, "call", outcome="connected", by="sam")
    await company.outside.event("escalation.closed", lead_id)


async def nobody_on_duty_and_then_exhausted(company: Company) -> None:
    """Nobody is `ops`, so the next step pages the head of sales at once, and again, until the ladder is exhausted."""
    lead_id, due_at = await company.hand_over("forgotten", "Forgotten")
    await company.past(due_at, 10)
    skipped = await company.outside.event("escalation.raised", lead_id, skipped="nobody on duty")
    assert skipped["to"] == []
    page = await company.outside.page_about("trigger", "critical", "Forgotten")
    for what in (_local(due_at), "forgotten@example.com", "ros"):
        assert what in page.text
    paged = await company.outside.event("escalation.raised", lead_id, page=True, level=skipped["level"] + 1)
    assert [(each["role"], each["person"]) for each in paged["to"]] == [("sales_lead", "sam")]
    for number, minutes in ((2, 30), (3, 40)):
        await company.past(due_at, minutes)
        await until(lambda number=number: len(company.pages_on(lead_id)) == number)  # type: ignore[misc]
    await company.past(due_at, 51)
    await company.outside.event("escalation.exhausted", lead_id)
    wanted = {"state": "exhausted", "lead_id": lead_id}
    [_] = (await company.outside.client.get("/v1/escalations", params=wanted)).json()["items"]
    assert len(company.pages_on(lead_id)) == 3
    await company.outside.press(page.link(ACKNOWLEDGE))
    await company.outside.event("escalation.acknowledged", lead_id, by="sam")
    await company.report(lead_id, "call", outcome="connected", by="sam")
    await company.outside.event("escalation.closed", lead_id)
    await company.outside.page_about("resolve")


async def a_channel_that_is_down(company: Company) -> None:
    """The manager's chat does not answer; the e-mail does, and the record says what happened."""
    lead_id, due_at = await company.hand_over("unreachable", "Unreachable")
    await company.past(due_at)
    await company.outside.event("escalation.raised", lead_id)
    for attempts, longest_wait_s in ((1, 3), (2, 12), (3, 36)):
        await until(lambda attempts=attempts: company.tried(lead_id, "dora", attempts))  # type: ignore[misc]
        await company.conductor.until(company.conductor.time.now() + timedelta(seconds=longest_wait_s))
    overdue = await company.outside.mail_to("dora", OVERDUE, "Unreachable")
    failed = await company.outside.event("notice.failed", lead_id, person="dora")
    assert (failed["channel"], failed["next_channel"]) == ("slack", "email")
    told = await company.outside.event("notice.delivered", lead_id, person="dora")
    assert told["channel"] == "email"
    await company.outside.press(overdue.link(ACKNOWLEDGE))
    await company.report(lead_id, "call", outcome="connected", by="dora")
    await company.outside.event("escalation.closed", lead_id)


async def due_after_a_holiday(company: Company) -> None:
    """A lead of Easter night is due on Tuesday, since Monday is a holiday; the rep hears of it then, and not before."""
    lead_id = await company.post("holiday", "Holiday", email="holiday@example.com")
    assigned = await company.outside.event("lead.assigned", lead_id)
    due_at = datetime(2027, 3, 30, 9, 15, tzinfo=BRUSSELS)
    assert datetime.fromisoformat(assigned["respond_by"]) == due_at
    await company.past(due_at, -6)
    warning = await company.outside.mail_to("hal", SOON, "Holiday")
    assert "Tue 30 Mar 09:15" in warning.text
    assert len(company.outside.inbox("hal")) == 1
    await company.outside.press(warning.link(ACCEPT))
    await company.outside.event("window.met", lead_id)


async def a_breach_of_operations(company: Company) -> None:
    """A lead waits in a queue for longer than its owner promised, and nobody answers a dispute."""
    parked = await company.post("closed", "Parked", email="parked@example.com")
    await company.outside.event("lead.parked", parked)
    triage = await company.outside.event("window.opened", parked)
    assert (triage["side"], triage["promise"], triage["owner"]) == ("operations", "triage", "owen")
    disputed, _ = await company.hand_over("dispute", "Disputed")
    await company.report(disputed, "rejected", reason="no_budget", by="rex")
    await company.outside.event("window.cancelled", disputed)
    await company.report(disputed, "disputed", by="mara", text="They have a budget")
    await company.outside.event("window.opened", disputed, promise="disputes")
    await company.past(datetime.fromisoformat(triage["due_at"]), 1)
    for who, lead_id, promise in (("owen", parked, "triage"), ("rex", disputed, "disputes")):
        breached = await company.outside.event("window.breached", lead_id, promise=promise)
        assert (breached["side"], breached["owner"]) == ("operations", who)
        overdue = await company.outside.mail_to(who, OVERDUE, promise)
        await company.outside.press(overdue.link(ACKNOWLEDGE))
        await company.outside.event("escalation.acknowledged", lead_id, by=who)
    await company.report(disputed, "accepted", by="rex")
    await company.outside.event("escalation.closed", disputed)


async def a_breach_of_marketing_in_the_night(company: Company) -> None:
    """Sales accepted none of the leads of this day, which ends at midnight in the Azores. The mails wait for the
    morning.
    """
    period = "period:accepted_share:2027-03-27"
    await until(lambda: company.is_open(period, MIDNIGHT))
    await company.past(MIDNIGHT, -5)
    warned = await company.outside.event("window.warned", period)
    assert (warned["progress"]["counted"], warned["progress"]["of"]) == (0, 1)
    await company.past(MIDNIGHT)
    breached = await company.outside.event("window.breached", period)
    assert (breached["side"], breached["owner"], breached["progress"]["of"]) == ("marketing", "mara", 1)
    await company.outside.event("escalation.raised", period)
    in_the_morning = datetime(2027, 3, 28, 7, tzinfo=ZoneInfo("Atlantic/Azores"))
    await company.past(in_the_morning, -2)
    assert company.outside.inbox("mara") == []
    await company.past(in_the_morning)
    overdue = await company.outside.mail_to("mara", OVERDUE)
    assert "accepted share" in overdue.text
    await company.outside.mail_to("mara", EXHAUSTED, "accepted share")
    assert len(company.outside.inbox("mara")) == 2
    await company.outside.press(overdue.link(ACKNOWLEDGE))
    await company.outside.event("escalation.acknowledged", period, by="mara")


async def a_verdict_that_comes_late(company: Company, router: psutil.Process) -> None:
    """The router stands still, so an inquiry has no verdict, and the head of sales is paged. Once it goes on, the lead
    has its owner, and it is over.

    Time goes to some seconds before the deadline only: an ingest whose clock was just set is not judged by it.
    """
    clock = company.conductor.time
    router.suspend()
    try:
        lead_id = await company.post("prompt", "Stuck", email="stuck@example.com")
        await clock.go_to(clock.now() + HAND_OFF_WITHIN - timedelta(seconds=8))
        breached = await company.outside.event("window.breached", lead_id, promise="hand_off")
        assert (breached["side"], breached["owner"], breached["fault"]) == ("operations", "ops", "pipeline")
        assert datetime.fromisoformat(breached["due_at"]) <= clock.now()
        await company.outside.page_about("trigger", "hand off")
        assert company.outside.events("lead.assigned", lead_id) == []
    finally:
        router.resume()
    assigned = await company.outside.event("lead.assigned", lead_id)
    assert assigned["rep"]["id"] == "tim"
    closed = await company.outside.event("escalation.closed", lead_id)
    assert (closed["window_id"], closed["reason"]) == (breached["window_id"], "decided late")
    await company.report(lead_id, "call", outcome="connected", by="tim")
    await company.outside.event("window.met", lead_id, promise="first_response")


STORIES = (
    met_in_time,
    met_late,
    met_late_and_retracted,
    moved_and_met_by_the_second_rep,
    acknowledged_then_forgotten,
    nobody_on_duty_and_then_exhausted,
    a_channel_that_is_down,
    due_after_a_holiday,
    a_breach_of_operations,
    a_breach_of_marketing_in_the_night,
)


def _local(at: datetime) -> str:
    return f"{at.astimezone(BRUSSELS):%H:%M}"

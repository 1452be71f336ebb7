"""One lead from the form to the escalation, in both ways of running, with a CRM that verifies its webhooks."""

from collections.abc import AsyncIterator, Iterator
from email.message import EmailMessage
from pathlib import Path

import httpx
import pytest

from tests.journeys.processes import Running, assert_audit_finds_nothing, running
from tests.journeys.receiver import Crm, crm
from tests.kit.mail_server import PASSWORD, USER, MailPeer, mail_server
from tests.kit.waiting import until

# One layout at a time: each has up to a JVM and six services, and side by side they only make each other late.
pytestmark = pytest.mark.xdist_group("layouts")

CONSENT = {"basis": "opt_in"}
CHANNELS = "\nchannels:\n  manager: {email: {}}\n"


PRODUCTION = [pytest.mark.kafka, pytest.mark.postgres]


@pytest.fixture(scope="module")
def mail(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MailPeer]:
    with mail_server(tmp_path_factory.mktemp("mail"), "tls") as server:
        yield server


@pytest.fixture(scope="module", params=["embedded", pytest.param("production", marks=PRODUCTION)])
def baton(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, mail: MailPeer
) -> Iterator[Running]:
    folder: Path = tmp_path_factory.mktemp(request.param)
    times = {"within": "4 seconds", "warn": "2 seconds", "move": "1 second", "page": "2 seconds"}
    settings = {
        "BATON_DELIVERY_MAIL_SERVER": f"smtps://localhost:{mail.port}",
        "BATON_DELIVERY_MAIL_FROM": "baton@acme.example",
        "BATON_DELIVERY_MAIL_USER": USER,
        "BATON_DELIVERY_MAIL_PASSWORD": PASSWORD,
        "BATON_DELIVERY_MAIL_CA": str(mail.certificate),
        "BATON_DELIVERY_NOTICE_INTERVAL_S": "1",
    }
    with running(request.param, folder, channels=CHANNELS, settings=settings, **times) as it:
        yield it
        assert_audit_finds_nothing(it)


@pytest.fixture
async def client(baton: Running) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=baton.url, headers=baton.headers, timeout=20) as client:
        yield client


@pytest.fixture
async def subscriber(client: httpx.AsyncClient) -> AsyncIterator[Crm]:
    async with crm() as receiver:
        answer = await client.post("/v1/subscriptions", json={"url": receiver.url, "events": ["*"]})
        assert answer.status_code == 201, answer.text
        receiver.secret = answer.json()["secret"]
        yield receiver
        await client.delete(f"/v1/subscriptions/{answer.json()['subscription_id']}")
        assert receiver.wrong == []


async def post_lead(client: httpx.AsyncClient, person: str, **changes: object) -> dict[str, str]:
    lead = {"source": "website", "kind": "demo_request", "contact": {"email": person}, "consent": CONSENT, **changes}
    answer = await client.post("/v1/leads", json=lead)
    assert answer.status_code == 202, answer.text
    result: dict[str, str] = answer.json()["results"][0]
    return result


async def test_a_form_post_nobody_follows_up_is_breached_moved_and_escalated(
    baton: Running, client: httpx.AsyncClient, subscriber: Crm
) -> None:
    form = {"email": f"form-{baton.kind}@example.com", "name": "Jo Peeters", "consent": "yes", "message": "Call me"}
    async with httpx.AsyncClient(base_url=baton.url, timeout=30) as browser:
        posted = await browser.post("/v1/sources/contact", params={"token": "contact-token-of-the-journey"}, data=form)
    assert (posted.status_code, posted.headers["location"]) == (303, "https://acme.example/thanks")
    lead_id = (
        await subscriber.until(
            lambda: next(
                (e for e in subscriber.events if e["data"].get("contact", {}).get("email") == form["email"]), None
            ),
            within_s=60,
        )
    )["subject"]
    assigned = await subscriber.got("baton.lead.assigned.v1", lead_id)
    await subscriber.got("baton.window.opened.v1", lead_id)
    await subscriber.got("baton.window.warned.v1", lead_id)
    breached = await subscriber.got("baton.window.breached.v1", lead_id)
    moved = await subscriber.got("baton.lead.reassigned.v1", lead_id)
    raised = await subscriber.got("baton.escalation.raised.v1", lead_id)
    assert breached["data"]["owner"] == assigned["data"]["rep"]["id"]
    assert (breached["data"]["fault"], breached["data"]["due_at"]) == ("rep", assigned["data"]["respond_by"])
    assert moved["data"]["previous_rep"] == assigned["data"]["rep"]["id"]
    assert moved["data"]["rep"]["id"] != assigned["data"]["rep"]["id"]
    assert raised["data"]["notify"] == ["rep", "manager"]
    lead = (await client.get(f"/v1/leads/{lead_id}")).json()
    assert (lead["owner"]["generation"], lead["owner"]["rep"]) == (2, moved["data"]["rep"]["id"])
    timeline = (await client.get(f"/v1/leads/{lead_id}/timeline")).json()["items"]
    kinds = [entry["type"] for entry in timeline]
    for kind in ("baton.inquiry.received.v1", "baton.lead.assigned.v1", "baton.window.breached.v1"):
        assert kind in kinds
    windows = (await client.get("/v1/windows", params={"lead_id": lead_id})).json()["items"]
    assert {w["generation"]: w["state"] for w in windows}[1] == "breached"


async def test_a_missed_promise_is_in_the_managers_inbox_and_so_is_its_end(
    baton: Running, client: httpx.AsyncClient, subscriber: Crm, mail: MailPeer
) -> None:
    await answer_all(client)  # or the manager may get one message about several leads
    who = f"Missed-{baton.kind}"
    person = {"email": f"{who}@example.com", "first_name": "Jo", "last_name": who}
    wrote = {"message": "Can we talk today? We decide on Monday.", "page_url": "https://acme.example/pricing?x=1"}
    lead = await post_lead(client, "", contact=person, **wrote)
    told = await subscriber.got("baton.notice.delivered.v1", lead["lead_id"])
    assert (told["data"]["role"], told["data"]["person"], told["data"]["channel"]) == ("manager", "mia", "email")
    first = next(each for each in mail.mails() if who in each["Subject"])
    assert first["Subject"].strip().startswith(f"Overdue: first response, Jo {who}, was due ")
    assert first["X-RcptTo"] == "mia@acme.example"
    text = next(part for part in first.walk() if part.get_content_type() == "text/plain").get_content()
    assert "The buyer wrote:\n> Can we talk today? We decide on Monday." in text
    assert "Read: acme.example/pricing" in text
    call = {"lead_id": lead["lead_id"], "kind": "call", "outcome": "connected", "by": "mia"}
    assert (await client.post("/v1/activities", json=call)).status_code == 202
    closed = await subscriber.until(lambda: _closing(mail, who), within_s=60)
    assert closed["References"] == first["References"]
    states = (await client.get("/v1/notices", params={"lead_id": lead["lead_id"], "role": "ops"})).json()["items"]
    assert {each["state"] for each in states} <= {"failed", "dropped"}
    shown = (await client.get(f"/v1/leads/{lead['lead_id']}/timeline")).text
    assert "mia (manager) was told by e-mail of the missed promise." in shown


async def answer_all(client: httpx.AsyncClient) -> None:
    """Call everyone who waits, until nobody does."""

    async def nobody_waits() -> bool:
        lists = (("windows", "open"), ("escalations", "firing"))
        found = [(await client.get(f"/v1/{name}", params={"state": state})).json()["items"] for name, state in lists]
        leads = {each["lead_id"] for items in found for each in items}
        calls = [{"lead_id": lead_id, "kind": "call", "outcome": "connected"} for lead_id in leads]
        if calls:
            (await client.post("/v1/activities", json=calls)).raise_for_status()
        return not leads

    await until(nobody_waits)


def _closing(mail: MailPeer, who: str) -> EmailMessage | None:
    """The mail that says that it is over."""
    return next((m for m in mail.mails() if m["Subject"].strip().startswith("Closed") and who in m["Subject"]), None)


async def test_a_follow_up_in_time_meets_the_promise_and_nothing_is_breached(
    baton: Running, client: httpx.AsyncClient, subscriber: Crm
) -> None:
    lead = await post_lead(client, f"met-{baton.kind}@example.com")
    assigned = await subscriber.got("baton.lead.assigned.v1", lead["lead_id"])
    call = {"kind": "call", "lead_id": lead["lead_id"], "by": assigned["data"]["rep"]["id"], "outcome": "connected"}
    answer = await client.post("/v1/activities", json=call)
    assert answer.status_code == 202, answer.text
    met = await subscriber.got("baton.window.met.v1", lead["lead_id"])
    assert met["data"]["met_by"] == answer.json()["results"][0]["activity_id"]
    # A lead that came later and is breached shows that the first one's deadline has been passed and judged.
    control = await post_lead(client, f"control-{baton.kind}@example.com")
    await subscriber.got("baton.window.breached.v1", control["lead_id"])
    assert subscriber.about(lead["lead_id"], "baton.window.breached.v1") == []
    assert subscriber.about(lead["lead_id"], "baton.window.warned.v1") == []
    [window] = (await client.get("/v1/windows", params={"lead_id": lead["lead_id"]})).json()["items"]
    assert window["state"] == "met"


async def test_a_duplicate_post_is_one_lead_with_one_assignment(
    baton: Running, client: httpx.AsyncClient, subscriber: Crm
) -> None:
    person = f"twice-{baton.kind}@example.com"
    first = await post_lead(client, person, external_id="web-1")
    again = await post_lead(client, person, external_id="web-1")
    other = await post_lead(client, person.upper(), external_id="web-2")
    assert (first["status"], again["status"], other["status"]) == ("accepted", "duplicate", "accepted")
    assert first["inquiry_id"] == again["inquiry_id"] != other["inquiry_id"]
    assert first["lead_id"] == other["lead_id"]
    await subscriber.got("baton.lead.merged.v1", first["lead_id"])
    assert len(subscriber.about(first["lead_id"], "baton.lead.assigned.v1")) == 1
    lead = (await client.get(f"/v1/leads/{first['lead_id']}")).json()
    assert [i["inquiry_id"] for i in lead["inquiries"]] == [first["inquiry_id"], other["inquiry_id"]]


async def test_a_person_with_two_ids_is_one_lead_whatever_the_call_is_reported_under(
    baton: Running, client: httpx.AsyncClient, subscriber: Crm
) -> None:
    people = [(by, first) for by in ("email", "lead_id", "inquiry_id") for first in ("number", "address")]
    inquiries = [asked for number, (_, first) in enumerate(people) for asked in _twice(baton.kind, number, first)]
    answer = await client.post("/v1/leads", json=inquiries)
    posted = answer.json()["results"]
    reports = []
    for number, (by, _) in enumerate(people):
        second = posted[2 * number + 1] | {"email": f"two-{number}-{baton.kind}@example.com"}
        reports.append({"kind": "call", "outcome": "connected", by: second[by]})
    answer = await client.post("/v1/activities", json=reports)
    assert [each["status"] for each in answer.json()["results"]] == ["accepted"] * len(people), answer.text
    control = await post_lead(client, f"two-control-{baton.kind}@example.com")
    await subscriber.got("baton.window.breached.v1", control["lead_id"])
    for number in range(len(people)):
        ids = {posted[2 * number]["lead_id"], posted[2 * number + 1]["lead_id"]}
        assert len(ids) == 2
        about = [event for lead_id in ids for event in subscriber.about(lead_id)]
        kinds = [event["type"] for event in about]
        assert kinds.count("baton.lead.assigned.v1") == 1
        assert {"baton.lead.merged.v1", "baton.window.met.v1"} <= set(kinds)
        assert not {"baton.window.breached.v1", "baton.escalation.raised.v1"} & set(kinds), people[number]


def _twice(kind: str, person: int, first: str) -> list[dict[str, object]]:
    """Two inquiries of one person: the number alone, and the address with the number."""
    number = f"+3247011{person:04}"
    contacts: list[dict[str, str]] = [{"phone": number}, {"phone": number, "email": f"two-{person}-{kind}@example.com"}]
    ordered = contacts if first == "number" else contacts[::-1]
    return [{"source": "website", "kind": "demo_request", "contact": each, "consent": CONSENT} for each in ordered]


async def test_what_came_in_is_accounted_for(client: httpx.AsyncClient, subscriber: Crm) -> None:
    lead = await post_lead(client, "counted@example.com")
    rejected = await post_lead(client, "no-consent@example.com", consent={"basis": "none"})
    google = {"google_key": "google-key-of-the-journey", "lead_id": "g-1", "user_column_data": "not a list"}
    assert (await client.post("/v1/sources/google", json=google)).status_code == 200
    await subscriber.got("baton.lead.assigned.v1", lead["lead_id"])
    await subscriber.got("baton.lead.rejected.v1", rejected["lead_id"])
    counts = (await client.get("/v1/conservation")).json()
    while counts["in_flight"] or not (counts["quarantined"] and counts["rejected"]):
        counts = (await client.get("/v1/conservation")).json()
    outcomes = ("assigned", "parked", "rejected", "merged", "quarantined")
    assert counts["balanced"] is True
    assert counts["received"] == sum(counts[name] for name in outcomes)
    assert counts["rejected"] >= 1
    assert counts["quarantined"] == 1

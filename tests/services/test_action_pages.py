"""The links of a message: what is sent has them, their page changes nothing, and says so when it is too late."""

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from msgspec.structs import replace

from services.delivery.service import build
from services.delivery.store.notices import Grouping
from shared import agreement_file
from shared.agreements import store as agreements
from shared.bus.embedded import EmbeddedBus
from shared.bus.envelope import encode
from shared.db.engine import Database
from shared.domain.action_links import GRANT_S, Claim, Grant, key_of, read
from shared.domain.event import Recipient
from shared.domain.events import Event, RepRef
from tests.kit import events
from tests.kit.agreements import agreement_text
from tests.kit.clocks import ManualWall
from tests.kit.events import NINE, after, envelope
from tests.kit.services import client_of, platform_on, running
from tests.kit.subscribers import Receiver, receiving
from tests.kit.waiting import until

URL = "https://leads.acme.example/baton"
CHANNELS = """
channels:
  rep: {webhook: {url_from: env:CHAT, template_from: env:TEMPLATE}}
"""
AGREEMENT = agreement_file.parse(agreement_text() + CHANNELS, "test.yaml").agreement
ANN = Recipient("rep", "ann")
KEY = key_of("admin-key")
AT_ONCE = Grouping(interval_s=0.0, gather_s=0.0)


@dataclass
class Messages:
    """A delivery service and what it sent."""

    client: httpx.AsyncClient
    bus: EmbeddedBus
    clock: ManualWall
    chat: Receiver

    async def publish(self, *made: Event) -> None:
        await self.bus.publish([encode(envelope(each)) for each in made])

    async def links(self, count: int = 1) -> dict[str, str]:
        """The links of the latest message, by their labels, without the public URL."""
        [*_, seen] = await self.chat.got(count)
        found = dict(line.split(": ", 1) for line in json.loads(seen.body)["links"].splitlines())
        assert all(url.startswith(f"{URL}/") for url in found.values())
        return {label: url.removeprefix(URL) for label, url in found.items()}

    async def shown(self, link: str, method: str = "GET") -> tuple[int, str]:
        answer = await self.client.request(method, link, headers={"Authorization": ""})
        assert "no-store" in answer.headers["cache-control"]
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        return answer.status_code, answer.text

    async def posted(self, claim: str) -> tuple[int, str, str]:
        """The answer to the form of a page: status, text, and where it is sent on to."""
        headers = {"Authorization": "", "Origin": "null", "Sec-Fetch-Site": "same-origin"}
        answer = await self.client.post("/act/check", data={"grant": claim}, headers=headers)
        return answer.status_code, answer.text, answer.headers.get("location", "")


@asynccontextmanager
async def messages_on(
    database: Database, bus: EmbeddedBus, grouping: Grouping = AT_ONCE, **environ: str
) -> AsyncIterator[Messages]:
    async with database.begin() as tx:
        await agreements.save(tx, AGREEMENT, NINE)
    clock = ManualWall(NINE)
    async with receiving() as chat:
        given = {
            "BATON_ALLOW_LOOPBACK_ENDPOINTS": "true",
            "CHAT": chat.url,
            "TEMPLATE": '{"links": "{links}"}',
            **environ,
        }
        platform = platform_on(database, bus, clock, **given)
        service = build(platform, grouping=grouping)
        async with running(platform, service) as web, client_of(web) as client:
            yield Messages(client, bus, clock, chat)
        for drain in service.drains[1::2]:
            await drain()


def warned(**changes: Any) -> Event:
    return events.warned("ld_1", to=(ANN,), agreement=AGREEMENT.ref, **changes)


def raised(**changes: Any) -> Event:
    return events.raised("ld_1", to=(ANN,), agreement=AGREEMENT.ref, promise_due_at=after(15), **changes)


async def test_the_rep_gets_links_whose_pages_have_a_form_and_change_nothing(
    database: Database, embedded_bus: EmbeddedBus
) -> None:
    async with messages_on(database, embedded_bus, BATON_PUBLIC_URL=URL) as messages:
        await messages.publish(events.assigned("ld_1"), raised())
        links = await messages.links()
        assert list(links) == ["Accept the lead", "Reject the lead", "Acknowledge", "Open the lead"]
        assert links["Open the lead"] == "/leads/ld_1"
        pages = {label: await messages.shown(link) for label, link in links.items() if label != "Open the lead"}
        heads = [await messages.shown(links["Accept the lead"], "HEAD"), await messages.shown(links["Acknowledge"])]
    assert {status for status, _ in pages.values()} == {200}
    assert [(status, bool(text)) for status, text in heads] == [(200, False), (200, True)]
    assert not any("ann" in link or "ld_1" in link for link in list(links.values())[:3])
    until_ = int(NINE.timestamp()) + GRANT_S
    acknowledge = read(KEY, _token(pages["Acknowledge"][1]), Grant, NINE)
    assert (acknowledge.action, acknowledge.subject, acknowledge.person) == ("acknowledge", "es_ld_1", "ann")
    for label, action in (("Accept the lead", "accept"), ("Reject the lead", "reject")):
        claim = read(KEY, _token(pages[label][1]), Claim, NINE)
        assert (claim.action, claim.subject, claim.person) == (action, "ld_1", "ann")
        assert (claim.assignment, claim.until) == ("as_ld_1", until_)
    assert 'action="/act/check"' in pages["Reject the lead"][1]
    assert 'action="/act/escalation"' in pages["Acknowledge"][1]


async def test_a_link_that_comes_too_late_says_so_and_has_no_form(
    database: Database, embedded_bus: EmbeddedBus
) -> None:
    async with messages_on(database, embedded_bus, BATON_PUBLIC_URL=URL) as messages:
        await messages.publish(events.assigned("ld_1"), warned())
        links = await messages.links()
        assert list(links) == ["Accept the lead", "Reject the lead", "Open the lead"]
        accept = links["Accept the lead"]
        cut = await messages.shown(accept[:-3])
        none = await messages.shown("/act/lead")
        await messages.publish(events.reassigned("ld_1", generation=2, rep=RepRef("bob", "bob@acme.example")))

        async def is_moved() -> bool:
            return (await messages.shown(accept))[0] != 200

        await until(is_moved)
        moved = await messages.shown(accept)
        messages.clock.advance(days=8)
        expired = await messages.shown(accept)
    for status, text in (cut, none, moved, expired):
        assert status == 410
        assert "<form" not in text
    assert "Open the link in the message again, whole." in cut[1]
    assert "bob has this lead now" in moved[1]
    assert "has expired" in expired[1]


async def test_a_form_that_is_sent_after_the_lead_has_moved_or_is_parked_does_not_act(
    database: Database, embedded_bus: EmbeddedBus
) -> None:
    async with messages_on(database, embedded_bus, BATON_PUBLIC_URL=URL) as messages:
        await messages.publish(events.assigned("ld_1"), warned())
        link = (await messages.links())["Accept the lead"]
        claim = _token((await messages.shown(link))[1])
        status, said, onward = await messages.posted(claim)
        grant = read(KEY, onward.removeprefix("/act/lead?grant="), Grant, NINE)
        assert (status, said, (grant.action, grant.subject, grant.person)) == (307, "", ("accept", "ld_1", "ann"))
        assert grant.until == int(NINE.timestamp()) + 60
        for changed, why in (
            (events.reassigned("ld_1", assignment_id="as_2", rep=RepRef("ann", "ann@acme.example")), "has moved since"),
            (events.reassigned("ld_1", generation=3, rep=RepRef("bob", "bob@acme.example")), "bob has this lead now"),
            (events.parked("ld_1"), "Nobody has this lead any more"),
        ):
            await messages.publish(changed)

            async def says(why: str = why) -> bool:
                return why in (await messages.posted(claim))[1]

            # A browser may ask only so often.
            await until(says, look_again_s=0.5)
            assert (await messages.posted(claim))[0] == 410
        assert (await messages.shown(link))[0] == 410
        assert (await messages.posted(onward.removeprefix("/act/lead?grant=")))[0] == 410
        assert (await messages.posted(""))[0] == 410


async def test_each_of_several_leads_in_a_message_has_its_links(database: Database, embedded_bus: EmbeddedBus) -> None:
    gathered = Grouping(interval_s=0.0, gather_s=0.5)
    async with messages_on(database, embedded_bus, gathered, BATON_PUBLIC_URL=URL) as messages:
        named = replace(events.PERSON, first_name="Ed", last_name="Elm")
        leads = [f"ld_{number}" for number in range(8)]
        await messages.publish(*(events.assigned(lead, contact=named) for lead in leads))
        await messages.publish(*(events.warned(lead, to=(ANN,), agreement=AGREEMENT.ref) for lead in leads))
        [seen] = await messages.chat.got(1)
        lines = json.loads(seen.body)["links"].splitlines()
        accepts = [line.split(": " + URL)[1] for line in lines if line.startswith("Accept the lead: Ed Elm of Example")]
        claims = [read(KEY, _token((await messages.shown(link))[1]), Claim, NINE) for link in accepts]
    assert len(lines) == 18
    subjects = {claim.subject for claim in claims}
    assert (len(subjects), subjects <= set(leads)) == (6, True)


async def test_without_a_public_url_there_are_no_links_and_readiness_says_why(
    database: Database, embedded_bus: EmbeddedBus
) -> None:
    async with messages_on(database, embedded_bus) as messages:
        await messages.publish(events.assigned("ld_1"), warned())
        [seen] = await messages.chat.got(1)
        notes = (await messages.client.get("/readyz", headers={"Host": "127.0.0.1"})).json()["notes"]
    assert json.loads(seen.body)["links"] == ""
    assert notes["delivery.notices"] == "messages have no links, because BATON_PUBLIC_URL is not set"


def _token(text: str) -> str:
    found = re.search(r'name="grant" value="([^"]+)"', text)
    assert found
    return found[1]

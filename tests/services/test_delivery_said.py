"""Messages say what the buyer wrote and read, on both databases: also under another id, and not after consent ends."""

from services.delivery.store.inquiries import said_by
from shared.bus.embedded import EmbeddedBus
from shared.db.engine import Database
from tests.kit import events
from tests.kit.events import after
from tests.kit.subscribers import receiving
from tests.kit.waiting import until
from tests.services.notices_kit import Notices, body, notices_on, raised

WROTE = "Can we talk today?\n<b>We decide</b> on Monday."


async def _stored(database: Database, lead: str, wrote: str | None) -> None:
    async def is_stored() -> bool:
        async with database.read() as tx:
            found = (await said_by(tx, [lead])).get(lead)
        return (found.wrote if found is not None else None) == wrote

    await until(is_stored)


async def test_a_message_says_what_the_buyer_wrote_and_read(database: Database, embedded_bus: EmbeddedBus) -> None:
    async with receiving() as chat, notices_on(database, embedded_bus, {"CHAT": chat.url}) as notices:
        await notices.publish(
            events.inquiry(message=WROTE, page_url="https://acme.example/pricing?x=1"), events.assigned()
        )
        await _stored(database, "ld_1", WROTE)
        await notices.publish(raised())
        await notices.ended(1)
    text = body(chat.seen[0])["text"]
    assert "The buyer wrote:\n> Can we talk today?\n> <b>We decide</b> on Monday." in text
    assert "\nBuyer: Jo Peeters, Example NV\n" in text
    assert "\nScore: 65: asked for a demo; decision maker\nRead: acme.example/pricing\nCampaign: q4-demo\n" in text


async def test_a_message_about_a_lead_that_nobody_had_yet_says_who_the_buyer_is(
    database: Database, embedded_bus: EmbeddedBus
) -> None:
    triage = raised(promise="triage", owner="triage", level=1)
    async with receiving() as chat, notices_on(database, embedded_bus, {"CHAT": chat.url}) as notices:
        await notices.publish(events.inquiry(message=WROTE), events.parked())
        await _stored(database, "ld_1", WROTE)
        await notices.publish(triage)
        await notices.ended(1)
        await notices.publish(events.lead_closed("ld_1", closed_at=after(7)))
        await _stored(database, "ld_1", "")
        await notices.publish(raised(promise="triage", owner="triage", level=2))
        await notices.ended(2)
    first, erased = (body(seen)["text"] for seen in chat.seen)
    assert "Overdue: triage" in body(chat.seen[0])["headline"]
    assert "\nBuyer: Jo Peeters, Example NV\n" in first
    assert events.PERSON.email is not None
    assert events.PERSON.email in first
    assert "The buyer wrote:\n> Can we talk today?" in first
    assert "\nOwed by: triage\n" in first
    assert "\nRep: " not in first
    assert "Peeters" not in erased


async def test_what_was_written_under_another_id_of_the_person_is_shown_and_erased_with_it(
    database: Database, embedded_bus: EmbeddedBus
) -> None:
    async with receiving() as chat, notices_on(database, embedded_bus, {"CHAT": chat.url}) as notices:
        await _under_another_id(database, notices)
        await notices.publish(events.lead_closed("ld_1", closed_at=after(7)))
        await _stored(database, "ld_1", "")
        await notices.publish(events.inquiry("ld_3", accepted_at=after(6), message="Too late"))
        await notices.publish(events.inquiry("ld_2", accepted_at=after(9), message="Hello again"))
        await _stored(database, "ld_1", "Hello again")
        await notices.publish(events.split("ld_2", was_part_of="ld_1"))
        await _stored(database, "ld_1", "")
    assert "Newest" in body(chat.seen[0])["text"]


async def _under_another_id(database: Database, notices: Notices) -> None:
    """Three ids of one person, the first of which goes on; the one that ended first wrote last."""
    for number, words in enumerate(("Oldest", "Middle", "Newest"), start=1):
        await notices.publish(events.inquiry(f"ld_{number}", accepted_at=after(number), message=words))
    await notices.publish(events.assigned(), events.merged("ld_3", into="ld_2"), events.merged("ld_2", into="ld_1"))
    await _stored(database, "ld_1", "Newest")
    await notices.publish(raised())
    await notices.ended(1)

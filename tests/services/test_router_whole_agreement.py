"""A whole agreement at work, as one reads it in the guide: scored, judged, matched and routed on days in December."""

import shutil
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from shared.bus.embedded import EmbeddedBus
from shared.db.engine import Database
from shared.domain.events import Event, LeadAssigned, LeadRejected, PromiseSegment
from shared.domain.lead import Company, Consent, Contact, Signal
from shared.metrics import conditions_failed
from tests.kit.agreements import agreement_text
from tests.kit.clocks import ManualWall
from tests.kit.tables import make_tables
from tests.services.router_kit import Router, activity, inquiry, running

DATA = Path(__file__).parents[1] / "data"
WEDNESDAY = datetime.fromisoformat("2026-12-02T10:00+01:00")


@pytest.fixture
def clock() -> ManualWall:
    return ManualWall(WEDNESDAY)


@pytest.fixture
async def router(embedded_bus: EmbeddedBus, tmp_path: Path, clock: ManualWall) -> AsyncIterator[Router]:
    shutil.copy(DATA / "agreement_full.yaml", tmp_path / "agreement.yaml")
    shutil.copy(DATA / "draft.yaml", tmp_path)
    database = Database(f"sqlite+aiosqlite:///{tmp_path}/timed.db", clock)
    await make_tables(database)
    async with running(tmp_path / "agreement.yaml", database, embedded_bus, clock) as router:
        yield router
    await database.close()


async def ask(router: Router, clock: ManualWall, person: int, number: int = 1, **changes: Any) -> Event:
    """What the router decides on a good lead with `changes`: a director of a company of 200, who asks for a demo."""
    person_of = {"email": f"p{person}@firm{person}.example.be", "seniority": "director", "country": "BE"}
    firm = {"name": f"Firm {person}", "domain": f"firm{person}.be", "employees": 200}
    fields = {
        "accepted_at": clock.at,
        "contact": Contact(**{**person_of, **changes.pop("contact", {})}),
        "company": Company(**{**firm, **changes.pop("company", {})}),
        "consent": Consent(basis="opt_in"),
        **changes,
    }
    await router.publish(inquiry(person, number, **fields))
    [event] = await router.wait_for(1)
    [*_, verdict] = (await router.client.get(f"/v1/leads/ld_{person}/proof")).json()["verdicts"]
    assert verdict["follows"] is True, verdict["differences"]
    return event


async def test_how_soon_the_first_response_is_due_goes_by_the_fields_of_the_lead(
    router: Router, clock: ManualWall
) -> None:
    large = await ask(router, clock, 1, company={"employees": 1500})
    assert isinstance(large, LeadAssigned)
    assert (large.rule, large.score, large.respond_by) == ("large", 65, WEDNESDAY + timedelta(minutes=30))
    assert large.segments == (PromiseSegment("first_response", 2),)
    [verdict] = (await router.client.get("/v1/leads/ld_1/proof")).json()["verdicts"]
    assert [(each["part"], each["passed"]) for each in verdict["promises"]] == [
        ("first_response: 15 minutes, from 80 points", False),
        ("first_response: 30 minutes", True),
    ]


async def test_every_rule_of_the_example_decides_as_it_reads(router: Router, clock: ManualWall) -> None:
    first = await ask(router, clock, 1)
    assert isinstance(first, LeadAssigned)
    assert (first.rep.id, first.score, first.rule) == ("ann", 65, "everyone else")
    assert first.respond_by == WEDNESDAY + timedelta(hours=1)
    seen = Signal(kind="page_view", at=WEDNESDAY - timedelta(days=1), path="/pricing")
    again = Signal(kind="page_view", at=WEDNESDAY - timedelta(days=14), path="/pricing")
    webinar = Signal(kind="webinar", at=WEDNESDAY)
    keen = await ask(
        router, clock, 2, signals=(seen, again, webinar), company={"employees": 300}, contact={"language": "fr"}
    )
    assert isinstance(keen, LeadAssigned)
    assert (keen.rep.id, keen.rule, keen.score) == ("bob", "french speakers", 80)  # 40 + 25 + 10 a day old + 5
    assert keen.respond_by == WEDNESDAY + timedelta(minutes=15)
    large = await ask(router, clock, 3, company={"employees": 5000})
    assert isinstance(large, LeadAssigned)
    assert (large.rep.id, large.rule) == ("mia", "large")
    colleague = await ask(router, clock, 4, company={"domain": "www.firm3.be"})
    assert isinstance(colleague, LeadAssigned)
    assert (colleague.rep.id, colleague.rule) == ("mia", "known account")


@pytest.mark.parametrize(
    ("changes", "clause"),
    [
        ({"company": {"domain": "rival.example"}}, "excluded: competitor"),
        ({"contact": {"seniority": "student"}}, "excluded: student"),
        ({"company": {"name": None}}, "minimum data: company.name is missing"),
        (
            {"consent": Consent(basis="contract")},
            "consent: contract, the agreement asks for opt_in or legitimate_interest",
        ),
        ({"company": {"employees": 49}}, "fit: the agreement's conditions for a good fit are not met"),
        ({"kind": "newsletter"}, "score: 25 points, the agreement asks for 60"),
        ({"contact": {"email": "jo@gmail.com"}}, "score: 35 points, the agreement asks for 60"),
    ],
)
async def test_what_the_example_does_not_count_as_a_lead_is_rejected_with_the_clause(
    router: Router, clock: ManualWall, changes: dict[str, Any], clause: str
) -> None:
    event = await ask(router, clock, 1, **changes)
    assert isinstance(event, LeadRejected)
    assert event.reason == clause


async def test_intent_fades_by_half_in_two_weeks_and_adds_up_over_inquiries(router: Router, clock: ManualWall) -> None:
    seen = tuple(Signal(kind="page_view", at=WEDNESDAY - timedelta(days=n), path="/pricing") for n in (1, 2))
    early = await ask(router, clock, 1, kind="newsletter", signals=seen)
    assert isinstance(early, LeadRejected)
    assert early.score == 35  # 25 for the director, 10 a day old
    clock.advance(days=13)
    later = await ask(router, clock, 1, 2)
    assert isinstance(later, LeadAssigned)
    assert later.score == 70  # 40 + 25 + 5: the pages were read two weeks ago


async def test_a_lead_that_sales_lost_comes_back_to_its_rep_until_they_are_away(
    router: Router, clock: ManualWall
) -> None:
    first = await ask(router, clock, 1)
    assert isinstance(first, LeadAssigned)
    await router.publish(activity(1, "lost", accepted_at=clock.at))
    await router.lead("ld_1", lambda lead: lead["state"] == "closed")
    leave = {"leave": [{"first": "2026-12-07", "last": "2026-12-11"}]}
    await router.client.put(f"/v1/reps/{first.rep.id}/leave", json=leave)
    clock.advance(days=1)
    back = await ask(router, clock, 1, 2)
    assert isinstance(back, LeadAssigned)
    assert (back.rep.id, back.rule, back.cycle) == (first.rep.id, "returning lead", 2)
    await router.publish(activity(1, "lost", activity_id="again", accepted_at=clock.at))
    await router.lead("ld_1", lambda lead: lead["state"] == "closed")
    clock.advance(days=4)
    away = await ask(router, clock, 1, 3)
    assert isinstance(away, LeadAssigned)
    assert (away.rep.id, away.rule) == ("bob", "everyone else")


async def test_a_rule_that_fails_on_a_lead_counts_as_an_absent_fact_and_is_reported(
    embedded_bus: EmbeddedBus, tmp_path: Path, clock: ManualWall
) -> None:
    odd = "\n  - {add: 50, reason: odd, cel: 'lead.company.employees / (lead.company.employees - 200) > 1'}"
    file = tmp_path / "agreement.yaml"
    file.write_text(agreement_text().replace("\nscoring:", f"\nscoring:{odd}"))
    database = Database(f"sqlite+aiosqlite:///{tmp_path}/odd.db", clock)
    await make_tables(database)
    async with running(file, database, embedded_bus, clock) as router:
        before = conditions_failed._value.get()
        event = await ask(router, clock, 1)
        assert isinstance(event, LeadAssigned)
        assert (event.score, event.reasons) == (65, ("asked for a demo", "decision maker"))
        assert conditions_failed._value.get() == before + 1
        other = await ask(router, clock, 2, company={"employees": 201})
        assert isinstance(other, LeadAssigned)
        assert "odd" in other.reasons
    await database.close()

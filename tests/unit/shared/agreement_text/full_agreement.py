"""An agreement that uses every block, for tests on its words."""

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

from shared import agreement_file
from shared.domain.agreement import (
    Agreement,
    Channel,
    Commitment,
    Duration,
    FactType,
    Only,
    Pause,
    Person,
    Pilot,
    Pool,
    Promise,
    Queue,
    RejectReason,
    Route,
    Segment,
    Step,
)
from shared.domain.approvals import Review
from shared.domain.conditions import Condition
from shared.domain.content_and_goals import Content, Goal
from shared.domain.duty import Duty, Rota, Shift
from shared.domain.silences import QuietHours, Silence
from tests.kit.agreements import agreement_text

SMALL = agreement_file.parse(agreement_text(), "small.yaml").agreement
STANDS_IN = Shift("tom", datetime(2026, 12, 23, 23, tzinfo=UTC), datetime(2026, 12, 27, 23, tzinfo=UTC))
LARGE = Condition(">=", "company.employees", 1000)


def whole() -> Agreement:
    """Every block filled."""
    people = dict(SMALL.people)
    people["bob"] = replace(
        people["bob"],
        languages=("fr", "en"),
        skills=("enterprise",),
        territories=("BE",),
        max_open=30,
        max_new_per_day=12,
        deputy="ann",
        on_leave="move",
    )
    people["eve"] = Person("eve", "eve@acme.example", active=False)
    ladders = dict(SMALL.ladders)
    ladder = ladders["response"]
    late = Step(len(ladder.steps) + 1, 0, True, 2, ("marketing_lead", "sales_lead"))
    ladders["response"] = replace(ladder, steps=(*ladder.steps, late), repeats=2, repeat_every_s=1800)
    promise = SMALL.promises["first_response"]
    text = SMALL.text
    return replace(
        SMALL,
        fields={"budget.amount": FactType("money"), "need.timeline": FactType("one_of", ("now", "this_year"))},
        holidays={"BE from 2025": (date(2026, 7, 21),)},
        mql=replace(
            SMALL.mql,
            fit=Condition("all", parts=(LARGE, Condition("in", "contact.country", ("BE", "NL")))),
            hand_off_within=Duration(120),
        ),
        scoring=(*SMALL.scoring, replace(SMALL.scoring[0], reason="asked again", intent=True)),
        people=people,
        pools={
            **SMALL.pools,
            "benelux": Pool("benelux", {"ann": 2, "bob": 1}, "least_open", True, "triage"),
        },
        routing=(
            Route("known account", owner="account", when=LARGE, unless_away_for=Duration(0, True, days=2)),
            Route(
                "french",
                "benelux",
                Condition("is", "contact.language", "fr"),
                only=(Only("languages", ("fr",)), Only("territories", field="contact.country")),
            ),
            *SMALL.routing,
        ),
        promises={
            "first_response": replace(
                promise,
                segments=(
                    Segment(promise.within, 80),
                    Segment(Duration(3600, True), 20, LARGE),
                    Segment(Duration(7200, True)),
                ),
                pause=Pause(Duration(7200, True), 2),
            ),
            "attempts": Promise(
                "attempts",
                Duration(0, True, days=5),
                ("call", "email"),
                "response",
                at_least=6,
                outcomes={"call": ("connected", "voicemail")},
                by="owner",
            ),
        },
        ladders=ladders,
        review=Review("2 weeks", "3 months"),
        half_life_s=14 * 86_400,
        sql_needs=("authority", "need"),
        queues={"triage": Queue("triage", "mia")},
        operations={"triage": Promise("triage", Duration(0, True, days=1), (), "response", side="operations")},
        commitments={
            "volume": Commitment("volume", Decimal(400), "month", "response"),
            "completeness": Commitment("completeness", Decimal("0.8"), "week", "response", ("contact.phone",)),
        },
        dispute_within=Duration(0, True, days=2),
        reject_reasons={
            "unreachable": RejectReason("unreachable", only_after="attempts"),
            "other": RejectReason("other", needs_text=True),
        },
        objections=("price", "timing"),
        duty={
            "ops": Duty(
                rota=Rota(("lea", "tom"), 7 * 86_400, datetime.fromisoformat("2026-11-30T09:00"), "Europe/Brussels"),
                overrides=(STANDS_IN,),
            ),
            "sales_lead": Duty(always="mia"),
            "marketing_lead": Duty(calendar="rota.ics", shifts=(replace(STANDS_IN, person="max"),)),
        },
        silences=(
            Silence(
                datetime(2026, 12, 24, 17, tzinfo=UTC),
                datetime(2026, 12, 27, 17, tzinfo=UTC),
                "the CRM moves",
                "first_response",
                "ann",
                "benelux",
                "sales",
                "si_1",
            ),
        ),
        quiet_hours=QuietHours({"rep": ((72_000, 25_200),), "ann": ((79_200, 21_600),)}, except_page=True),
        channels=(Channel("ops", "pagerduty", {"routing_key_from": "env:PAGERDUTY_KEY", "url": "https://secret"}),),
        content=(Content("roi", "ROI sheet", "https://acme.example/roi", ("price",)),),
        goals=(Goal("Q4", "won_revenue", Decimal(500_000), date(2026, 12, 31), "team_chat"),),
        pilots=(Pilot("faster", Condition("is", "inquiry.campaign", "q4"), replace(SMALL, version=2), "live"),),
        files={"draft.yaml": text},
    )

"""Agreements and inquiries drawn at random, for properties that have to hold under any: small, so that people meet,
run into limits and wait.
"""

from dataclasses import replace
from random import Random
from typing import Any

from shared import agreement_file
from shared.domain.agreement import Agreement, Duration, Only, Person, Pilot, Pool, Route
from shared.domain.conditions import Condition
from shared.domain.lead import Company, Consent, Contact

REPS = ("ann", "bob", "cleo", "dan", "eve")
POOLS = ("east", "west")
TEXT = """\
agreement: random
version: 1
effective_from: 2026-01-01T00:00:00+01:00
approved_by: {marketing: {name: Mara, on: 2026-01-01}, sales: {name: Sal, on: 2026-01-01}}
timezone: Europe/Brussels
calendars:
  office: {hours: {mon-fri: [09:00-12:30, 13:30-18:00]}, holidays: [BE]}
  always: {hours: {mon-sun: [00:00-24:00]}}
definitions:
  mql:
    consent: {basis: [opt_in]}
    exclude: [{reason: student, when: {field: contact.seniority, op: is, value: student}}]
scoring:
  - {add: 40, reason: demo, when: {field: inquiry.kind, op: is, value: demo_request}}
people:
  - {id: ann, email: a@acme.example, calendar: always, languages: [nl]}
  - {id: bob, email: b@acme.example, calendar: office, languages: [fr]}
  - {id: cleo, email: c@acme.example, calendar: always, languages: [nl, fr]}
  - {id: dan, email: d@acme.example, calendar: office}
  - {id: eve, email: e@acme.example, calendar: always, languages: [fr]}
  - {id: mia, email: m@acme.example, role: manager}
pools:
  east: {members: {ann: 1, bob: 1, cleo: 1}, when_nobody_available: {park_in: triage}}
  west: {members: {dan: 1, eve: 1}}
queues: {triage: {owner: mia}}
routing:
  - {name: large, when: {field: company.employees, op: ">=", value: 1000}, to: {pool: west}}
  - {name: everyone, to: {pool: east}}
promises:
  sales: {first_response: {within: 15 minutes, met_by: [call], ladder: one}}
ladders:
  one: [{at: 0 minutes, tell: [rep]}, {at: 15 minutes, move: {within: pool}}]
"""
BASE = agreement_file.parse(TEXT, "random.yaml").agreement
OWNED = {what: Condition(what, value="owned") for what in ("account", "lead")}
CAMPAIGN = Condition("is", "inquiry.campaign", "pilot")


def people(rng: Random) -> dict[str, Person]:
    """The team, with limits."""
    limits = (None, None, 1, 2, 3, 6)
    return {
        name: replace(
            person, max_open=rng.choice(limits), max_new_per_day=rng.choice(limits), active=rng.random() < 0.9
        )
        for name, person in BASE.people.items()
    }


def pools(rng: Random) -> dict[str, Pool]:
    """Both pools, with members, weights, strategies and hours."""
    return {
        name: Pool(
            name,
            {rep: rng.randint(1, 5) for rep in rng.sample(REPS, rng.randint(1, len(REPS)))},
            rng.choice(["weighted_turns", "weighted_turns", "least_open"]),
            rng.random() < 0.3,
            rng.choice(["triage", ""]),
        )
        for name in POOLS
    }


def routing(rng: Random) -> tuple[Route, ...]:
    """Some rules in some order, and one for everyone else."""
    away = (None, Duration(2 * 86400, text="2 days"), Duration(0, business=True, text="1 business day", days=1))
    speak, french = (Only("languages", field="contact.language"),), (Only("languages", ("fr",)),)
    rules = [
        Route("account", owner="account", when=OWNED["account"], unless_away_for=rng.choice(away)),
        Route("returning", owner="lead", when=OWNED["lead"], unless_away_for=rng.choice(away)),
        Route("large", rng.choice(POOLS), Condition(">=", "company.employees", 1000)),
        Route("regular", rng.choice(POOLS), OWNED["lead"]),
        Route("language", rng.choice(POOLS), Condition("exists", "contact.language"), only=speak),
        Route("french", rng.choice(POOLS), Condition("is", "contact.language", "fr"), only=french),
    ]
    return (*rng.sample(rules, rng.randint(0, len(rules))), Route("everyone", rng.choice(POOLS)))


def agreement(rng: Random, name: str, *, pilot: bool = True) -> Agreement:
    """A random agreement, sometimes with a live pilot."""
    found = replace(BASE, hash=f"sha256:{name}", people=people(rng), pools=pools(rng), routing=routing(rng))
    if not pilot or rng.random() < 0.5:
        return found
    return replace(found, pilots=(Pilot("p", CAMPAIGN, agreement(rng, f"{name}p", pilot=False), "live"),))


def inquiry(rng: Random) -> dict[str, Any]:
    """Someone asks: one of some people, by address, by number or by both."""
    email = rng.choice([None, *(f"p{n}@{host}.test" for n in range(8) for host in ("acme", "beta"))])
    phone = rng.choice([f"+32{n}" for n in range(12)]) if email is None or rng.random() < 0.3 else None
    return {
        "contact": Contact(
            email=email,
            phone=phone,
            language=rng.choice([None, None, "fr", "nl", "xx"]),
            seniority="student" if rng.random() < 0.05 else None,
        ),
        "company": Company(name=rng.choice([None, None, "Gamma"]), employees=rng.choice([None, None, 9999])),
        "consent": Consent(basis="opt_in") if rng.random() < 0.95 else None,
        "campaign": rng.choice([None, None, "pilot"]),
        "test": rng.random() < 0.05,
    }

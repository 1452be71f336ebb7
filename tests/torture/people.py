"""Who asks, and how: most by e-mail alone, some with a phone number first, so that Baton knows them by two ids until
it learns that they are one person; some share a number with somebody else."""

import random
from dataclasses import dataclass, field
from typing import Any

Contact = dict[str, str]

LARGE = 1000
"""Employees from which on a lead goes to the pool whose one member nobody can take a lead over from."""

_AT_ONCE = 0.3
_BOTH_LEADS = 0.25


@dataclass(frozen=True)
class Habits:
    """How people behave. `follow_ups` are weights of early, near the deadline, late, never, and `ends` those of how a
    lead ends: lost, won, rejected and then accepted after all. `dated` is the share of calls that are sent with when
    they happened, some seconds before.
    """

    leads: int
    per_s: float
    posted_again: float = 0.1
    asked_again: float = 0.05
    hotter: float = 0.5
    two_ids: float = 0.15
    shared_number: float = 0.04
    unfit: float = 0.04
    to_large: float = 0.5
    moved_by_hand: float = 0.05
    dated: float = 0.2
    follow_ups: tuple[int, int, int, int] = (30, 18, 12, 40)
    ends: tuple[int, int, int] = (60, 25, 15)


@dataclass
class Person:
    """Somebody who asks. Nobody else has their `keys`. `posts` are the contacts that they give, each so many seconds
    after they began; `ids` and `inquiry_ids` are what these were answered with. `end` is how their lead is to end.
    """

    name: str
    email: str
    keys: tuple[str, ...]
    end: str
    posts: list[tuple[float, Contact]]
    ids: list[str] = field(default_factory=list)
    inquiry_ids: list[str] = field(default_factory=list)

    def named(self, draw: random.Random) -> dict[str, str]:
        """One of the ways to report something about them."""
        ways = [("lead_id", each) for each in self.ids] + [("inquiry_id", each) for each in self.inquiry_ids]
        return dict([draw.choice([*ways, ("email", self.email)])])


def people(number: int, habits: Habits, draw: random.Random) -> list[Person]:
    """One person, or two with one number."""
    kind, phone = draw.random(), f"+3247{number:07d}"
    if kind < habits.two_ids:
        return [_with_two_ids(str(number), phone, habits, draw)]
    if kind < habits.two_ids + habits.shared_number:
        names = (("a", "Ada", "Able"), ("b", "Bo", "Baker"))
        return [_person(f"{number}{each}", phone, habits, draw, first_name=a, last_name=b) for each, a, b in names]
    return [_person(str(number), "", habits, draw)]


def lead_of(person: Person, number: int, contact: Contact, employees: int) -> dict[str, Any]:
    """The body of their post with that number."""
    return {
        "source": "website",
        "kind": "demo_request",
        "external_id": f"web-{person.name}-{number}",
        "contact": contact,
        "company": {"employees": employees},
        "consent": {"basis": "opt_in"},
    }


def _person(name: str, phone: str, habits: Habits, draw: random.Random, **known: str) -> Person:
    email = f"person-{name}@example.com"
    contact = {"email": email, "country": "BE", **known}
    if phone:
        contact["phone"] = phone
    if draw.random() < habits.unfit:
        contact["seniority"] = "student"
    return Person(name, email, (email,), _end(habits, draw), [(0.0, contact)])


def _with_two_ids(name: str, phone: str, habits: Habits, draw: random.Random) -> Person:
    """The number comes first, and later, perhaps at once, the address as well; or the address alone in between, so that
    both ids are leads.
    """
    email = f"person-{name}@example.com"
    later_s = 0.0 if draw.random() < _AT_ONCE else draw.uniform(0, 6)
    posts = [(0.0, {"phone": phone, "country": "BE"}), (later_s, {"phone": phone, "email": email, "country": "BE"})]
    if draw.random() < _BOTH_LEADS:
        posts.append((later_s / 2, {"email": email, "country": "BE"}))
    return Person(name, email, (email, phone), _end(habits, draw), posts)


def _end(habits: Habits, draw: random.Random) -> str:
    return draw.choices(("lost", "won", "overruled"), habits.ends)[0]

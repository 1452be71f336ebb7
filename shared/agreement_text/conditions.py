"""Conditions as clauses in plain English.

A comparison with a missing fact is false, and the words reflect that: `is_not` reads "is something other than", which
is not true of a missing fact.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from shared.agreement_text.phrases import counted, listed, number, quoted, seconds, spaced
from shared.domain.conditions import GROUPS, Condition, Money

FACTS: Mapping[str, str] = MappingProxyType(
    {
        "inquiry.kind": "the kind of inquiry",
        "inquiry.source": "the source of the inquiry",
        "inquiry.channel": "the channel of the inquiry",
        "inquiry.campaign": "the campaign of the inquiry",
        "inquiry.message": "the message of the inquiry",
        "inquiry.page_url": "the address of the page the inquiry came from",
        "contact.email": "the person's e-mail address",
        "contact.email_kind": "the kind of the person's e-mail address",
        "contact.phone": "the person's phone number",
        "contact.first_name": "the person's first name",
        "contact.last_name": "the person's last name",
        "contact.job_title": "the person's job title",
        "contact.seniority": "the person's seniority",
        "contact.country": "the person's country",
        "contact.language": "the person's language",
        "company.name": "the company's name",
        "company.domain": "the company's internet domain",
        "company.employees": "the company's number of employees",
        "company.industry": "the company's industry",
        "company.country": "the company's country",
    }
)
"""The built-in facts in words; facts that an agreement declares are read from their names."""

_OWNERS = {"contact": "the person's", "company": "the company's", "inquiry": "the inquiry's"}
_ORDER = {">": "more than", ">=": "at least", "<": "less than", "<=": "at most"}
_VERBS = {
    "is": "is",
    "is_not": "is something other than",
    "contains": "contains",
    "starts_with": "starts with",
    "ends_with": "ends with",
    "matches": "matches the pattern",
}
_SIGNALS = {
    "page_view": ("page view", "page views"),
    "email_open": ("opened e-mail", "opened e-mails"),
    "email_click": ("click in an e-mail", "clicks in e-mails"),
}


def condition_in_words(condition: Condition) -> str:
    """A clause that says when the condition holds: `the company's number of employees is at least 1,000`."""
    if condition.op in GROUPS:
        return _group(condition)
    return _OTHERS.get(condition.op, _comparison)(condition)


def lead_in_words(condition: Condition | None) -> str:
    """The leads for which a condition holds, to begin a sentence: `a lead from a company with at least 50 employees`.

    None is any lead.
    """
    if condition is None:
        return "a lead"
    special = _SPECIAL.get((condition.field, condition.op))
    if special is not None:
        return f"a lead {special(condition.value)}"
    if condition.field == "company.employees" and condition.op in _ORDER:
        return f"a lead from a company with {_ORDER[condition.op]} {counted(condition.value, 'employee')}"
    if condition.op in ("account", "lead"):
        whose = "whose company" if condition.op == "account" else "that"
        return f"a lead {whose} someone already {'owns' if condition.op == 'account' else 'had before'}"
    return f"a lead for which {condition_in_words(condition)}"


def fact_in_words(name: str) -> str:
    """What a fact is about, with its article: `the company's number of employees`, `the budget's amount`."""
    if name in FACTS:
        return FACTS[name]
    whose, _, what = name.rpartition(".")
    if not whose:
        return quoted(spaced(what))
    return f"{_OWNERS.get(whose, 'the ' + spaced(whose).replace('.', ' ') + chr(39) + 's')} {spaced(what)}"


def value_in_words(value: Any) -> str:
    """An expected value; text in quotes, several with "or"."""
    if isinstance(value, tuple):
        return listed((value_in_words(item) for item in value), "or")
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Money):
        return f"{number(value.value)} {value.currency}"
    return quoted(value) if isinstance(value, str) else number(value)


def expected_in_words(condition: Condition) -> str:
    """The verb and value of a comparison, without the fact: `is at least 1,000`, `ends with “.example”`."""
    op, value = condition.op, condition.value
    if op in _ORDER:
        return f"is {_ORDER[op]} {value_in_words(value)}"
    if op == "between":
        low, high = value
        return f"is between {value_in_words(low)} and {value_in_words(high)}"
    if op == "in":
        return f"is {value_in_words(value)}"
    if op == "not_in":
        return f"is something other than {value_in_words(value)}"
    return f"{_VERBS[op]} {value_in_words(value)}"


def _comparison(condition: Condition) -> str:
    return f"{fact_in_words(condition.field)} {expected_in_words(condition)}"


def _group(condition: Condition) -> str:
    parts = [
        f"({condition_in_words(part)})" if _is_long(part) else condition_in_words(part) for part in condition.parts
    ]
    if condition.op == "all":
        return listed(parts)
    if condition.op == "any":
        return ("either " if len(parts) > 1 else "") + listed(parts, "or")
    return f"it is not so that {parts[0]}" if len(parts) == 1 else f"none of these is so: {'; '.join(parts)}"


def _is_long(part: Condition) -> bool:
    return part.op in GROUPS and (len(part.parts) > 1 or part.op == "none")


def _signal(condition: Condition) -> str:
    test = condition.value
    matches, least = dict(test.matches), test.at_least
    one, many = _SIGNALS.get(test.kind, ("signal", "signals"))
    kind = "" if test.kind in _SIGNALS else f" {quoted(spaced(test.kind))}"
    path = f" of {matches.pop('path')}" if "path" in matches else ""
    rest = "".join(f" with the {spaced(key)} {quoted(text)}" for key, text in matches.items())
    within = f" in the last {seconds(test.within_s)}" if test.within_s else ""
    what = f"was at least one {one}" if least == 1 else f"were at least {least:,} {many}"
    return f"there {what}{kind}{path}{rest}{within}"


_OTHERS: Mapping[str, Callable[[Condition], str]] = {
    "exists": lambda leaf: f"{fact_in_words(leaf.field)} is known",
    "missing": lambda leaf: f"{fact_in_words(leaf.field)} is not known",
    "signal": _signal,
    "cel": lambda leaf: f"this formula holds: {leaf.value.text}",
    "account": lambda _: "someone already owns the lead's company",
    "lead": lambda _: "someone had this lead before",
}

_SPECIAL: Mapping[tuple[str, str], Callable[[Any], str]] = {
    ("contact.country", "is"): lambda value: f"from {value}",
    ("contact.country", "in"): lambda value: f"from {listed(value, 'or')}",
    ("contact.language", "is"): lambda value: f"from someone whose language is {quoted(value)}",
    ("company.employees", "between"): lambda value: (
        f"from a company with between {number(value[0])} and {number(value[1])} employees"
    ),
    ("company.name", "is"): lambda value: f"from the company {quoted(value)}",
    ("inquiry.campaign", "is"): lambda value: f"of the campaign {quoted(value)}",
    ("inquiry.source", "is"): lambda value: f"of the source {quoted(value)}",
}

"""The agreement's own names in words: roles, activities, strategies, measures, kinds of facts."""

from shared.agreement_text.conditions import fact_in_words
from shared.agreement_text.phrases import listed, number, percent, quoted, seconds, spaced
from shared.domain.agreement import Commitment, FactType

ROLES = {
    "rep": "the rep",
    "manager": "the rep's manager",
    "ops": "operations",
    "marketing_lead": "the head of marketing",
    "sales_lead": "the head of sales",
}
ACTIVITIES = {
    "call": "a call",
    "email": "an e-mail",
    "meeting": "a meeting",
    "accepted": "accepting the lead",
    "rejected": "rejecting the lead with a reason",
    "declined": "giving the lead back",
    "objection": "reporting an objection of the buyer",
}
STRATEGIES = {
    "weighted_turns": "by turns, in proportion to the weights",
    "least_open": "whoever has the fewest open leads for their weight",
}
ON_LEAVE = {"pause": "they wait", "move": "others get them"}
ATTRIBUTES = {"languages": "language", "skills": "skill", "territories": "territory"}
CHANNELS = {
    "email": "e-mail",
    "slack": "Slack",
    "pagerduty": "PagerDuty",
    "apprise": "Apprise",
    "teams": "Microsoft Teams",
    "alertmanager": "Alertmanager",
    "opsgenie": "Opsgenie",
}
PROMISES = {
    "attempts": "attempts to reach the person",
    "disposition": "accepting or rejecting the lead",
    "feedback": "feedback on the lead",
    "hand_off": "inquiries get a verdict",
    "triage": "leads that wait are seen to",
    "disputes": "disputes are answered",
}
_KINDS = {
    "text": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "yes or no",
    "money": "an amount of money",
}


def role(name: str) -> str:
    """A role on a ladder."""
    return ROLES.get(name, spaced(name))


def promise(name: str) -> str:
    """A promise on single leads."""
    return PROMISES.get(name, spaced(name))


def activity(name: str) -> str:
    """Something sales does on a lead."""
    return ACTIVITIES.get(name, spaced(name))


def strategy(name: str) -> str:
    """How a pool chooses the next member."""
    return STRATEGIES.get(name, spaced(name))


def on_leave(name: str) -> str:
    """What happens to the leads of someone on leave."""
    return ON_LEAVE.get(name, spaced(name))


def channel(kind: str) -> str:
    """A kind of channel."""
    return CHANNELS.get(kind, spaced(kind))


def clock(name: str) -> str:
    """Which time a promise runs in."""
    return "the rep's working time" if name == "rep_calendar" else "the wall clock"


def fact_kind(kind: FactType) -> str:
    """What values a declared fact can have."""
    if kind.one_of:
        return f"one of {listed(map(quoted, kind.one_of), 'or')}"
    return _KINDS.get(kind.kind, spaced(kind.kind))


def commitment(owed: Commitment) -> str:
    """What marketing owes over its period, as something one can reach."""
    if owed.measure == "volume":
        return f"at least {number(owed.target)} qualified leads that sales accepts"
    if owed.measure == "accepted_share":
        return f"at least {percent(owed.target)} of the leads handed over are accepted by sales"
    if owed.measure == "completeness":
        return (
            f"at least {percent(owed.target)} of the leads handed over tell {listed(map(fact_in_words, owed.fields))}"
        )
    if owed.measure == "hand_off_latency":
        return f"95 of 100 leads are handed over within {seconds(int(owed.target))}"
    return f"{spaced(owed.measure)}: {number(owed.target)}"


def measure(name: str) -> str:
    """What a commitment of marketing measures."""
    return {
        "volume": "leads that sales accepts",
        "accepted_share": "share of accepted leads",
        "completeness": "complete leads",
        "hand_off_latency": "speed of the hand-off",
    }.get(name, spaced(name))

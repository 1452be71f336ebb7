"""Feedback, material for buyers and shared goals in sentences."""

from collections.abc import Iterator

from shared.agreement_text.phrases import day, listed, number, spaced
from shared.agreement_text.section import Section, Table
from shared.domain.agreement import Agreement, Goal, RejectReason


def rest(agreement: Agreement) -> Iterator[Section]:
    """The sections after the promises."""
    if agreement.reject_reasons or agreement.objections:
        yield Section("Feedback from sales", tuple(_feedback(agreement)))
    if agreement.content:
        rows = tuple(
            (item.title, listed(map(spaced, item.answers)) or "–", item.owner, item.url) for item in agreement.content
        )
        yield Section("Material for buyers", (), Table(("Title", "Answers", "Kept by", "Where"), rows))
    if agreement.goals:
        yield Section("Shared goals", tuple(goal_in_words(goal) for goal in agreement.goals))


def reason_in_words(reason: RejectReason) -> str:
    """A reason to reject, with what it asks for."""
    asks = ["with a sentence"] if reason.needs_text else []
    if reason.only_after:
        asks.append(f"only once the promised {spaced(reason.only_after)} were made")
    return spaced(reason.code) + (f" ({', '.join(asks)})" if asks else "")


def goal_in_words(goal: Goal) -> str:
    """A goal, its figure and its date."""
    feast = f" It is celebrated in {spaced(goal.celebrate_in)}." if goal.celebrate_in else ""
    return f"{goal.name}: {spaced(goal.kpi)} of {number(goal.target)} by {day(goal.by)}.{feast}"


def _feedback(agreement: Agreement) -> Iterator[str]:
    if agreement.reject_reasons:
        reasons = listed(map(reason_in_words, agreement.reject_reasons.values()), "or")
        yield f"Sales may reject a lead for one of these reasons: {reasons}."
    if agreement.objections:
        yield f"What a buyer says against buying is noted as {listed(map(spaced, agreement.objections), 'or')}."

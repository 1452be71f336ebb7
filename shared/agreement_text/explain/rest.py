"""Feedback, material for buyers and shared goals in sentences."""

from collections.abc import Iterator

from shared.agreement_text.phrases import listed, sentence, spaced
from shared.agreement_text.section import Section, Table
from shared.agreement_text.sentences import goal_in_words, reason_in_words
from shared.domain.agreement import Agreement
from shared.domain.not_watched import MARK


def sections(agreement: Agreement) -> Iterator[Section]:
    """The sections after the promises."""
    if agreement.reject_reasons or agreement.objections:
        yield Section("Feedback from sales", tuple(_feedback(agreement)))
    if agreement.content:
        rows = tuple(
            (item.title, listed(map(spaced, item.answers)) or "–", item.owner, item.url) for item in agreement.content
        )
        yield Section("Material for buyers", (sentence(MARK),), Table(("Title", "Answers", "Kept by", "Where"), rows))
    if agreement.goals:
        yield Section("Shared goals", (sentence(MARK), *map(goal_in_words, agreement.goals)))


def _feedback(agreement: Agreement) -> Iterator[str]:
    if agreement.reject_reasons:
        reasons = listed(map(reason_in_words, agreement.reject_reasons.values()), "or")
        yield f"Sales may reject a lead for one of these reasons: {reasons}."
    if agreement.objections:
        yield f"What a buyer says against buying is noted as {listed(map(spaced, agreement.objections), 'or')}."

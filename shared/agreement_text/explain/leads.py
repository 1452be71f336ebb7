"""What counts as a lead for sales, who is left out, how points are given and what a rep confirms, in sentences."""

from collections.abc import Iterator

from shared.agreement_text.conditions import condition_in_words, fact_in_words
from shared.agreement_text.phrases import length, listed, seconds, sentence, spaced
from shared.agreement_text.section import Section, Table
from shared.domain.agreement import Agreement, Mql


def sections(agreement: Agreement) -> Iterator[Section]:
    """The sections about definitions and scoring."""
    yield Section("What counts as a marketing qualified lead (MQL)", tuple(_mql(agreement.mql)))
    if agreement.mql.exclude:
        yield _exclusions(agreement.mql)
    if agreement.scoring:
        yield _scoring(agreement)
    if agreement.sql_needs:
        needs = listed(map(spaced, agreement.sql_needs))
        what = f"A lead counts as sales qualified once a rep has confirmed its {needs}."
        yield Section("What counts as a sales qualified lead (SQL)", (what,))


def _mql(mql: Mql) -> Iterator[str]:
    if mql == Mql():
        yield "Every inquiry counts: nothing is asked of it."
        return
    if mql.minimum_data:
        yield f"We need to know at least {listed(map(fact_in_words, mql.minimum_data))}."
    if mql.consent_basis:
        yield f"We may write to the person, on the basis of {listed(map(spaced, mql.consent_basis), 'or')}."
    if mql.exclude:
        yield "None of the reasons to leave someone out applies."
    if mql.fit is not None:
        yield f"The lead fits: {condition_in_words(mql.fit)}."
    if mql.score_at_least is not None:
        yield f"The score is at least {mql.score_at_least}."
    if mql.hand_off_within is not None:
        yield f"Such a lead is handed over to sales within {length(mql.hand_off_within)}."
    yield "An inquiry that does not qualify is rejected with the reason; none is dropped."


def _exclusions(mql: Mql) -> Section:
    rows = tuple((spaced(rule.reason), sentence(condition_in_words(rule.when))[:-1]) for rule in mql.exclude)
    return Section(
        "Who is left out", ("The first reason that applies is given.",), Table(("Reason", "Left out when"), rows)
    )


def _scoring(agreement: Agreement) -> Section:
    rows = tuple(
        (
            f"{rule.add:+d}".replace("-", "−"),
            rule.reason,
            sentence(condition_in_words(rule.when))[:-1],
            _fades(rule.intent),
        )
        for rule in agreement.scoring
    )
    lines = ["The score of a lead is the sum of the points of every line that applies."]
    if agreement.half_life_s is None:
        return Section("How the score is made", tuple(lines), Table(("Points", "Because", "When"), _three(rows)))
    lines.append(
        f"Points for what someone did fade: after {seconds(agreement.half_life_s)} half of them are left, after twice "
        "that a quarter. They are remembered from earlier inquiries."
    )
    return Section("How the score is made", tuple(lines), Table(("Points", "Because", "When", "Fades"), rows))


def _fades(intent: bool) -> str:
    return "fades" if intent else "stays"


def _three(rows: tuple[tuple[str, ...], ...]) -> tuple[tuple[str, ...], ...]:
    return tuple(row[:3] for row in rows)

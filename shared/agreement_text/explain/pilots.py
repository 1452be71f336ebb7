"""Pilots in sentences: their scope, and what is different."""

from collections.abc import Iterator

from shared.agreement_text.conditions import condition_in_words
from shared.agreement_text.diff import differences
from shared.agreement_text.phrases import quoted, sentence
from shared.agreement_text.section import Section
from shared.domain.agreement import Agreement, Pilot


def sections(agreement: Agreement) -> Iterator[Section]:
    """A section for each pilot."""
    for pilot in agreement.pilots:
        yield Section(f"Pilot {quoted(pilot.name)}", tuple(_pilot(agreement, pilot)))


def _pilot(agreement: Agreement, pilot: Pilot) -> Iterator[str]:
    judged = (
        "decided under another draft of this agreement"
        if pilot.mode == "live"
        else "also judged under another draft, which is recorded and decides nothing"
    )
    yield sentence(f"leads for which {condition_in_words(pilot.scope)} are {judged}")
    found = differences(agreement, pilot.agreement)
    # A draft is a separate file with its own head, and cannot have pilots.
    changed = [change for change in found if change.area not in ("Head", "Pilots")]
    yield "What is different in that draft:" if changed else "That draft treats leads as this agreement does."
    yield from (f"{change.area}: {change.words}." for change in changed)

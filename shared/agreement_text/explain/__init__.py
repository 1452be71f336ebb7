"""One agreement in plain sentences, block by block, in the order in which a lead meets them."""

from collections.abc import Iterator
from datetime import date

from shared.agreement_text.explain import head, leads, people, pilots, promises, rest
from shared.agreement_text.section import Section
from shared.domain.agreement import Agreement


def explained(agreement: Agreement, today: date | None = None) -> tuple[Section, ...]:
    """The whole agreement in sections. Holidays are listed from `today`, or from when it takes effect.

    A missing block is left out, unless its absence means something.
    """
    return tuple(_sections(agreement, today or agreement.effective_from.date()))


def _sections(agreement: Agreement, today: date) -> Iterator[Section]:
    yield from head.sections(agreement, today)
    yield from leads.sections(agreement)
    yield from people.sections(agreement)
    yield from promises.sections(agreement)
    yield from rest.sections(agreement)
    yield from pilots.sections(agreement)

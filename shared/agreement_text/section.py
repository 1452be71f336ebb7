"""What an explanation is made of: titled sections with sentences and small tables, without any markup."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of text under a head, each as wide as the head; the first column names the row."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Section:
    """One part of the agreement: sentences to read, then a table if there is one.

    `ordered`: the sentences count from 1, as in a list whose order decides.
    """

    title: str
    sentences: tuple[str, ...] = ()
    table: Table | None = None
    ordered: bool = False

"""Text from outside can't overflow an index: every text column has a type that fits what holds it."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

import services.delivery.store.tables
import services.router.store.tables
import services.scoreboard.store.tables
import services.sla_monitor.store.tables  # noqa: F401 (these imports define the tables)
from shared.db.tables import metadata
from shared.db.text import KEY_BYTES, Key, Text

LARGEST_ENTRY = 2_704
"""Bytes in one entry of a PostgreSQL B-tree index with pages of 8 KiB."""
OTHER_BYTES = 16
"""No number or instant takes more."""


def _indexes() -> Iterator[tuple[str, list[sa.Column[object]]]]:
    for table in metadata.tables.values():
        yield f"{table.name} key", list(table.primary_key.columns)
        for index in sorted(table.indexes, key=lambda index: str(index.name)):
            yield str(index.name), list(index.columns)
        for constraint in table.constraints:
            if isinstance(constraint, sa.UniqueConstraint):
                yield f"{table.name} unique {constraint.name}", list(constraint.columns)


INDEXES = dict(_indexes())


@pytest.mark.parametrize("name", INDEXES)
def test_an_entry_of_an_index_fits_into_a_page(name: str) -> None:
    size = 0
    for column in INDEXES[name]:
        if isinstance(column.type, sa.Text | Text):
            pytest.fail(f"{column} is in an index: its type has to be shared.db.text.Key")
        size += KEY_BYTES + 4 if isinstance(column.type, Key) else OTHER_BYTES
    assert size <= LARGEST_ENTRY


@pytest.mark.parametrize("table", metadata.tables.values(), ids=str)
def test_text_in_no_index_is_cleaned_before_it_is_stored(table: sa.Table) -> None:
    assert not [column.name for column in table.columns if isinstance(column.type, sa.String)]

"""Text for the database: everything can be stored, and everything in a key or an index is bounded."""

import doctest

from hypothesis import given
from hypothesis import strategies as st

from shared.db import text
from shared.db.text import KEY_BYTES, indexable, storable

anything = st.text(alphabet=st.characters(exclude_categories=()))


def test_the_examples_hold() -> None:
    assert doctest.testmod(text).failed == 0


@given(anything)
def test_what_is_stored_is_what_was_given_but_for_what_no_database_takes(given: str) -> None:
    stored = storable(given)
    assert "\x00" not in stored
    assert len(stored) == len(given)
    assert stored.encode().decode() == stored
    if given.isprintable():
        assert stored == given


@given(anything | st.text(min_size=240, max_size=300) | st.integers(900, 20_000).map(lambda size: "é" * size))
def test_a_key_is_bounded_and_a_key_of_a_key_is_the_same(given: str) -> None:
    key = indexable(given)
    assert len(key.encode()) <= KEY_BYTES
    assert indexable(key) == key
    assert key == storable(given) or len(storable(given).encode()) > KEY_BYTES


def test_long_texts_that_begin_alike_have_different_keys() -> None:
    assert indexable("a" * 9_000) != indexable("a" * 9_001)

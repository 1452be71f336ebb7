"""Links in messages: nobody can make or change one, they end, and they say nothing about anyone."""

import base64
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.action_links import ActionLink, Grant, LinkRefused, key_of, read, signed

NOW = datetime(2026, 11, 27, 9, tzinfo=UTC)
KEY = key_of("bk_0123456789abcdef")
LATER = int(NOW.timestamp()) + 60
LINK = ActionLink("nt_1", "accept", LATER)
GRANT = Grant("nt_1", "accept", "ld_1", "ann", LATER)


def test_what_was_signed_is_read_until_it_ends() -> None:
    assert read(KEY, signed(KEY, LINK), ActionLink, NOW) == LINK
    assert read(KEY, signed(KEY, GRANT), Grant, NOW + timedelta(seconds=59)) == GRANT
    with pytest.raises(LinkRefused, match="expired"):
        read(KEY, signed(KEY, LINK), ActionLink, NOW + timedelta(seconds=60))
    with pytest.raises(LinkRefused, match="open for too long"):
        read(KEY, signed(KEY, GRANT), Grant, NOW + timedelta(seconds=60))


def test_a_link_is_not_a_grant_and_another_key_reads_neither() -> None:
    for text, kind, key in ((signed(KEY, LINK), Grant, KEY), (signed(KEY, GRANT), Grant, key_of("bk_another_key_0"))):
        with pytest.raises(LinkRefused, match="not from Baton"):
            read(key, text, kind, NOW)
    with pytest.raises(LinkRefused, match="not from Baton"):
        read(KEY, signed(KEY, GRANT), ActionLink, NOW)


def test_the_key_is_the_same_after_a_restart_and_is_not_the_secret() -> None:
    assert key_of("bk_0123456789abcdef") == KEY
    assert b"bk_" not in KEY


@given(st.integers(min_value=0), st.binary(min_size=1, max_size=3))
def test_no_changed_text_is_read(place: int, other: bytes) -> None:
    text = signed(KEY, LINK)
    at = place % len(text)
    changed = text[:at] + base64.urlsafe_b64encode(other).decode()[0] + text[at + 1 :]
    try:
        found = read(KEY, changed, ActionLink, NOW)
    except LinkRefused:
        return
    assert found == LINK  # the last character has bits that are not used


@pytest.mark.parametrize("text", ["", "x", "ä" * 30, "=" * 40, "A" * 50_000, signed(KEY, LINK)[:-4], "../../etc"])
def test_anything_else_is_refused_with_what_to_do(text: str) -> None:
    with pytest.raises(LinkRefused, match="Open the link in the message again"):
        read(KEY, text, ActionLink, NOW)

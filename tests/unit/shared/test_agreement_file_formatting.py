"""Formatting an agreement file changes how it looks, never what it says."""

import contextlib
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.agreement_file import AgreementRefused, formatted, parse
from shared.agreement_file.formatting import ORDER
from shared.agreement_file.text.yaml_document import read

ROOT = Path(__file__).parents[3]
DRAFT = (ROOT / "tests/data/draft.yaml").read_text()
FILES = {
    name: (ROOT / name).read_text()
    for name in ("deploy/agreement.example.yaml", "tests/data/agreement_full.yaml", "tests/data/agreement/deal.yaml")
}
GUIDE = (ROOT / "docs/agreement.md").read_text()


def digest(text: str) -> str:
    return parse(text, "deal.yaml", {"draft.yaml": DRAFT}).agreement.hash


def blocks(text: str) -> list[str]:
    return re.findall(r"^(\w+):", text, re.MULTILINE)


def comments(text: str) -> list[str]:
    return sorted(re.findall(r"#.*", text))


@pytest.mark.parametrize("text", FILES.values(), ids=FILES)
def test_a_formatted_file_says_the_same_and_stays_as_it_is(text: str) -> None:
    once = formatted(text)
    assert digest(once) == digest(text)
    assert comments(once) == comments(text)
    assert formatted(once) == once


@pytest.mark.parametrize("text", FILES.values(), ids=FILES)
def test_blocks_in_any_order_and_odd_spacing_come_out_in_one_layout(text: str) -> None:
    canonical = formatted(text)
    head, *rest = re.split(r"^(?=\w)", canonical, flags=re.MULTILINE)
    backwards = "".join([head, *(part.rstrip() + "\n\n\n" for part in reversed(rest))])
    messy = re.sub(r"(?<=[\w\]}]), (?=\w+: )", ",   ", backwards.replace(": {", ":   {").replace("\n", "  \r\n"))
    assert messy != canonical
    assert digest(messy) == digest(text)
    laid_out = formatted(messy)
    assert digest(laid_out) == digest(text)
    assert blocks(laid_out) == [name for name in ORDER if name in blocks(text)]
    assert formatted(laid_out) == laid_out
    assert "\r" not in laid_out
    assert "\n\n\n" not in laid_out


def test_the_shipped_example_is_in_canonical_layout() -> None:
    text = FILES["deploy/agreement.example.yaml"]
    assert formatted(text) == text


def test_a_block_moves_with_the_comment_above_it_and_the_one_at_the_top_of_the_file_stays() -> None:
    text = (
        "# The deal.\n\n# Who shares turns.\npools: {a: {members: {ann:  1}}}\n\n\n"
        "currency: EUR # euros\n# Which version.\nversion: 1\nagreement: x\n"
    )
    assert formatted(text) == (
        "# The deal.\n\nagreement: x\n\n# Which version.\nversion: 1\ncurrency: EUR # euros\n\n"
        "# Who shares turns.\npools: {a: {members: {ann: 1}}}\n"
    )


def test_indentation_becomes_even_and_comments_go_with_their_lines() -> None:
    text = (
        "scoring:\n# the first\n- add:   1\n  reason: 'x'\n      # the second\n"
        '-  {add: 2,reason: "y"}\nagreement:    x\n'
    )
    assert formatted(text) == (
        "agreement: x\n\nscoring:\n  # the first\n  - add: 1\n    reason: 'x'\n"
        '  # the second\n  - {add: 2, reason: "y"}\n'
    )


def test_what_could_not_be_laid_out_without_loss_stays() -> None:
    inside = "agreement: x\nscoring: [  # in the middle\n  {add: 1},  # of a list\n  ]\n"
    once = formatted(inside)
    assert comments(once) == comments(inside)
    assert read(once, "x").content == read(inside, "x").content
    assert formatted("{agreement: x, version: 1}") == "{agreement: x, version: 1}"


def test_words_dates_and_numbers_are_written_as_they_were() -> None:
    text = "agreement: NO\nversion: 007\neffective_from: 2026-01-01\ncurrency: yes\nreview: 1_000.50\n"
    assert formatted(text) == text


def test_blocks_that_are_not_known_come_last_and_keep_their_order() -> None:
    assert blocks(formatted("zebra: 1\npools: {}\nalpha: 2\nagreement: x\n")) == [
        "agreement",
        "pools",
        "zebra",
        "alpha",
    ]


def test_the_guide_explains_the_blocks_in_the_order_of_the_layout() -> None:
    written = [name for block in re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL) for name in blocks(block)]
    assert [name for name in written if name in ORDER] == list(ORDER)


def test_text_that_is_no_agreement_is_refused() -> None:
    with pytest.raises(AgreementRefused):
        formatted("a: b: c")


PIECES = re.findall(r"[\w.@]+|\s+|[^\w\s]", FILES["tests/data/agreement/deal.yaml"])
ODD = ["", "# odd\n", "'", '"', "|\n", "\n", "  ", "-", "[]", "---\n", "\t", "&a x", "!t"]


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, len(PIECES) - 1), st.sampled_from(ODD)), min_size=1, max_size=3))
def test_a_damaged_file_is_refused_or_keeps_its_content(damage: list[tuple[int, str]]) -> None:
    pieces = list(PIECES)
    for place, instead in damage:
        pieces[place] = instead
    text = "".join(pieces)
    with contextlib.suppress(AgreementRefused):
        content = read(text, "x").content
        once = formatted(text)
        assert read(once, "x").content == content
        assert formatted(once) == once

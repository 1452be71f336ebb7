"""The list of security requirements is whole: each of ASVS 5.0.0 levels 1 and 2 once, with an answer."""

import re
from collections import Counter

from tests.architecture.tree import ROOT

ROW = re.compile(r"\| V(\d+)\.(\d+)\.(\d+) \| (yes|partly|not yet|n/a) \| (\S.*\S) \| (`test_\w+`|–) \|")
# How many requirements of levels 1 and 2 each chapter of ASVS 5.0.0 has.
IN_CHAPTER = {1: 27, 2: 11, 3: 19, 4: 10, 5: 9, 6: 35, 7: 18, 8: 7, 9: 7}
IN_CHAPTER |= {10: 29, 11: 14, 12: 9, 13: 13, 14: 9, 15: 13, 16: 16, 17: 7}


def rows() -> list[tuple[str, ...]]:
    text = (ROOT / "docs" / "security-asvs.md").read_text()
    return [found.groups() for line in text.splitlines() if (found := ROW.fullmatch(line))]


def test_every_requirement_of_levels_1_and_2_is_answered_once() -> None:
    found = rows()
    assert len({row[:3] for row in found}) == len(found) == 253
    assert Counter(int(row[0]) for row in found) == IN_CHAPTER


def test_the_sums_of_the_list_are_right() -> None:
    sums = Counter(row[3] for row in rows())
    text = (ROOT / "docs" / "security-asvs.md").read_text()
    sentence = f"{sums['yes']} met, {sums['partly']} partly, {sums['not yet']} not yet, {sums['n/a']} that don't apply"
    assert sentence in text

"""How long a ladder may take, and how many steps it may have."""

import pytest

from shared import agreement_file
from shared.agreement_file import AgreementRefused
from shared.domain.agreement import Ladder
from tests.kit.agreements import agreement_text


def parsed(*steps: str) -> Ladder:
    head = agreement_text().partition("ladders:")[0]
    lines = "".join(f"    - {step}\n" for step in steps)
    return agreement_file.parse(f"{head}ladders:\n  response:\n{lines}", "deal.yaml").agreement.ladders["response"]


def test_a_ladder_may_take_a_year_with_its_repeats_and_the_wait_after_them() -> None:
    last = "{at: 6 days, tell: [rep]}"
    assert parsed(last, "{repeat: 9 times, every: 36 days}").repeats == 9
    with pytest.raises(AgreementRefused, match="takes more than a year"):
        parsed(last, "{repeat: 9 times, every: 37 days}")
    with pytest.raises(AgreementRefused, match="takes more than a year"):
        parsed("{at: 366 business days, tell: [rep]}", "{repeat: 1 time, every: 1 day}")


def test_a_step_that_pages_and_names_no_one_is_for_ops() -> None:
    ladder = parsed(
        "{at: -5 minutes, page: true}", "{at: 0 minutes, page: true, tell: [rep]}", "{at: 1 hour, page: true}"
    )
    assert [step.tell for step in ladder.steps] == [("ops",), ("rep",), ("ops",)]


def test_a_ladder_has_at_most_fifty_steps() -> None:
    steps = [f"{{at: {minute} minutes, tell: [rep]}}" for minute in range(51)]
    assert len(parsed(*steps[:50]).steps) == 50
    with pytest.raises(AgreementRefused, match="at most 50 steps, not 51"):
        parsed(*steps)

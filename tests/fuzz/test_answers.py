"""Whatever an endpoint answers to a webhook is that delivery's outcome and nothing more."""

from tests.fuzz.answers import answer_anything
from tests.fuzz.test_targets import QUICK


def test_whatever_an_endpoint_answers_the_next_step_is_known() -> None:
    answer_anything(QUICK)

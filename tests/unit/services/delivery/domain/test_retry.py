import doctest
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.delivery.domain import retry
from services.delivery.domain.retry import SCHEDULE_S, EndpointResponse, next_attempt, retry_after_s

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
SILENCE = EndpointResponse(None, "no answer within 15 s")


def test_the_examples_in_the_module_hold() -> None:
    assert doctest.testmod(retry).failed == 0


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_any_2xx_is_delivered(status: int) -> None:
    step = next_attempt(EndpointResponse(status), 1, 0.5)
    assert (step.state, step.wait_s, step.disable, step.slow_down) == ("delivered", None, False, False)


@pytest.mark.parametrize("answer", [SILENCE, *(EndpointResponse(s) for s in (408, 425, 429, 500, 502, 503, 504, 599))])
def test_what_may_pass_is_tried_ten_times(answer: EndpointResponse) -> None:
    states = [next_attempt(answer, attempts, 0.5).state for attempts in range(1, 11)]
    assert states == ["pending"] * 9 + ["failed"]
    assert next_attempt(answer, 1, 0.5).slow_down


@pytest.mark.parametrize(
    "answer",
    [EndpointResponse(s) for s in (301, 302, 307, 308, 400, 401, 403, 404, 413, 422)]
    + [EndpointResponse(None, "the host's address can't be used", forbidden=True)],
)
def test_what_will_hardly_pass_is_tried_three_times_more(answer: EndpointResponse) -> None:
    states = [next_attempt(answer, attempts, 0.5).state for attempts in range(1, 5)]
    assert states == ["pending"] * 3 + ["failed"]
    assert not next_attempt(answer, 1, 0.5).slow_down


def test_410_fails_at_once_and_disables_the_subscription() -> None:
    step = next_attempt(EndpointResponse(410), 1, 0.5)
    assert (step.state, step.disable) == ("failed", True)


def test_a_redirect_says_what_to_do() -> None:
    assert "final URL" in next_attempt(EndpointResponse(302), 1, 0.5).why


@given(attempts=st.integers(1, 9), fraction=st.floats(0, 1, exclude_max=True))
def test_waits_are_spread_around_the_schedule(attempts: int, fraction: float) -> None:
    wait = next_attempt(SILENCE, attempts, fraction).wait_s
    planned = SCHEDULE_S[attempts - 1]
    low, high = (0.1, 1.0) if attempts <= 3 else (0.8, 1.2)
    assert wait is not None
    assert low * planned <= wait <= high * planned


def test_the_whole_schedule_spans_more_than_a_day() -> None:
    assert 27 * 3600 <= sum(SCHEDULE_S) <= 29 * 3600


@given(asked=st.floats(0, 1e9), attempts=st.integers(1, 9), fraction=st.floats(0, 1, exclude_max=True))
def test_retry_after_lengthens_a_wait_up_to_twice_the_planned_one(asked: float, attempts: int, fraction: float) -> None:
    plain = next_attempt(EndpointResponse(429), attempts, fraction).wait_s
    wait = next_attempt(EndpointResponse(429, retry_after_s=asked), attempts, fraction).wait_s
    assert plain is not None
    assert wait == max(plain, min(asked, 2 * SCHEDULE_S[attempts - 1]))


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("30", 30.0),
        (" 30 ", 30.0),
        ("Sat, 21 Nov 2026 12:01:00 GMT", 60.0),
        ("Sat, 21 Nov 2026 11:00:00 GMT", 0.0),
        ("-1", None),
        ("soon", None),
        ("", None),
        ("9" * 400, 999_999_999.0),
        ("٣", None),
    ],
)
def test_retry_after_is_read_in_both_its_forms(value: str | None, seconds: float | None) -> None:
    assert retry_after_s(value, NOW) == seconds


@given(st.text(max_size=60))
def test_no_retry_after_header_upsets_us(value: str) -> None:
    found = retry_after_s(value, NOW)
    assert found is None or found >= 0


@pytest.mark.parametrize(
    "text",
    [
        "Mon, 20 Nov 9999999999 12:00:00 +0000",
        "Mon, 20 Nov 2026 99:99:99 +0000",
        "-1",
        "1e9",
        "\x00",
        "Mon," * 5_000,
        ",",
    ],
)
def test_a_retry_after_that_is_neither_a_number_nor_a_date_asks_for_nothing(text: str) -> None:
    assert retry_after_s(text, datetime(2026, 11, 21, tzinfo=UTC)) is None


@given(st.text() | st.from_regex(r"[A-Z][a-z]{2}, \d+ [A-Z][a-z]{2} \d+ \d+:\d+:\d+ [+-]\d+"))
def test_any_retry_after_is_a_bounded_wait_or_none(text: str) -> None:
    wait_s = retry_after_s(text, datetime(2026, 11, 21, tzinfo=UTC))
    assert wait_s is None or 0 <= wait_s < 10**10

"""Silences in the agreement: each mistake has a position and says what to do; explained and compared in words."""

from datetime import UTC, datetime

import pytest

from shared import agreement_file
from shared.agreement_file import AgreementRefused
from shared.agreement_file.formatting import formatted
from shared.agreement_text import diff, explain
from shared.domain.agreement import Agreement
from shared.domain.silences import Silence
from tests.kit.agreements import agreement_text


def parsed(*silences: str) -> Agreement:
    lines = "".join(f"  - {silence}\n" for silence in silences)
    return agreement_file.parse(f"{agreement_text()}silences:\n{lines}", "deal.yaml").agreement


MATCHES = "matches: {promise: first_response, owner: ann}"
CHRISTMAS = f"{{from: 2026-12-24T18:00, to: 2026-12-27, reason: the CRM moves, {MATCHES}}}"
ALL = "{from: 2026-12-30T18:00:00Z, to: 2026-12-31T06:00:00Z, reason: maintenance}"


def test_times_without_an_offset_are_in_the_agreements_zone_and_a_last_date_is_included() -> None:
    assert parsed(CHRISTMAS, ALL).silences == (
        Silence(
            datetime(2026, 12, 24, 17, tzinfo=UTC),
            datetime(2026, 12, 27, 23, tzinfo=UTC),
            "the CRM moves",
            promise="first_response",
            owner="ann",
        ),
        Silence(datetime(2026, 12, 30, 18, tzinfo=UTC), datetime(2026, 12, 31, 6, tzinfo=UTC), "maintenance"),
    )


@pytest.mark.parametrize(
    ("silence", "says"),
    [
        ("{from: 2026-12-24, reason: x}", "`to` is missing"),
        ("{from: 2026-12-24, to: 2026-12-25}", "`reason` is missing"),
        ("{from: 2026-12-24, to: 2026-12-23, reason: x}", "ends before it begins"),
        ("{from: 2026-12-24, to: 2027-01-23, reason: x}", "at most 30 days"),
        ("{from: 2026-12-24, to: 2026-12-25, reason: x, matches: {promise: nope}}", "unknown promise `nope`"),
        ("{from: 2026-12-24, to: 2026-12-25, reason: x, matches: {owner: joe}}", "unknown person `joe`"),
        ("{from: 2026-12-24, to: 2026-12-25, reason: x, matches: {pool: nordics}}", "unknown pool `nordics`"),
        ("{from: 2026-12-24, to: 2026-12-25, reason: x, matches: {side: buyers}}", "`buyers` is not possible"),
    ],
)
def test_a_silence_that_cannot_be_is_refused(silence: str, says: str) -> None:
    with pytest.raises(AgreementRefused, match=says):
        parsed(silence)


def test_more_than_a_hundred_silences_are_refused() -> None:
    with pytest.raises(AgreementRefused, match="at most 100 silences, not 101"):
        parsed(*[ALL] * 101)


def test_silences_are_explained_and_compared_in_words() -> None:
    old, new = parsed(ALL), parsed(ALL, CHRISTMAS)
    words = (
        "from 24 December 2026 at 18:00 (Europe/Brussels) until 28 December 2026 at 00:00 (Europe/Brussels): "
        "promises “first response” of ann (the CRM moves)"
    )
    [section] = [each for each in explain.explained(new) if each.title == "When nobody is notified"]
    assert section.sentences[1] == f"From {words[5:]}."
    [found] = diff.differences(old, new)
    assert (found.area, found.words) == ("Silences", f"silences: now also {words}")


def test_silences_are_formatted_between_the_duty_rota_and_the_channels() -> None:
    mixed = f"silences:\n  - {ALL}\nchannels: {{rep: {{email: {{}}}}}}\n"
    text = f"{mixed}{agreement_text()}duty: {{ops: {{always: mia}}}}\n"
    blocks = [line.partition(":")[0] for line in formatted(text).splitlines() if line[:1].isalpha()]
    assert blocks[blocks.index("duty") :][:3] == ["duty", "silences", "channels"]

"""Quiet hours in the agreement: each mistake says what to do; explained and compared in words."""

import pytest

from shared import agreement_file
from shared.agreement_file import AgreementRefused
from shared.agreement_text import diff, explain
from shared.domain.silences import QuietHours
from tests.kit.agreements import agreement_text


def parsed(quiet: str) -> agreement_file.Loaded:
    return agreement_file.parse(f"{agreement_text()}quiet_hours: {quiet}\n", "deal.yaml")


def test_hours_are_by_role_and_person() -> None:
    found = parsed("{rep: [20:00-07:00], ann: [12:00-13:00, 22:00-06:00], except: page}")
    hours = {"rep": ((72_000, 25_200),), "ann": ((43_200, 46_800), (79_200, 21_600))}
    assert found.agreement.quiet_hours == QuietHours(hours, except_page=True)


def test_a_check_warns_that_pages_wait_as_well() -> None:
    assert [warning.code for warning in parsed("{rep: [20:00-07:00]}").warnings if warning.code == "pages_wait"]
    assert not [w for w in parsed("{rep: [20:00-07:00], except: page}").warnings if w.code == "pages_wait"]


@pytest.mark.parametrize(
    ("quiet", "says"),
    [
        ("{joe: [20:00-07:00]}", "unknown role or person `joe`"),
        ("{rep: 20:00-07:00}", "are no quiet hours"),
        ("{rep: []}", "are no quiet hours"),
        ("{rep: [20-7]}", "are no hours"),
        ("{rep: [00:00-24:00]}", "would never be notified"),
        ("{rep: [20:00-07:00, 06:00-21:00]}", "would never be notified"),
        ("{rep: page}", "`page` belongs to `except`"),
        ("{rep: [20:00-07:00], except: [20:00-07:00]}", "write `page`"),
    ],
)
def test_quiet_hours_that_cannot_be_are_refused(quiet: str, says: str) -> None:
    with pytest.raises(AgreementRefused, match=says):
        parsed(quiet)


def test_they_are_explained_and_compared_in_words() -> None:
    new = parsed("{rep: [20:00-07:00], except: page}").agreement
    [section] = [each for each in explain.explained(new) if each.title == "Quiet hours"]
    assert section.sentences == ("The rep: not 20:00–07:00 the next day.", "Pages are sent all the same.")
    old = agreement_file.parse(agreement_text(), "deal.yaml").agreement
    assert [found.area for found in diff.differences(old, new)] == ["Quiet hours"]
    assert old.quiet_hours is None

"""The scoreboard's own settings."""

import pytest

from services.scoreboard.settings import ScoreboardSettings
from shared.domain.errors import Misconfigured
from shared.settings import read


def test_a_zone_that_does_not_exist_is_refused_by_name() -> None:
    with pytest.raises(Misconfigured, match=r"BATON_SCOREBOARD_TIMEZONE.*Europe/Brussel"):
        read(ScoreboardSettings, {"BATON_SCOREBOARD_TIMEZONE": "Europe/Brussel"})


def test_left_out_the_agreement_decides() -> None:
    assert read(ScoreboardSettings, {}).timezone is None

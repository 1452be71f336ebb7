from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from services.delivery.domain.channel_choice import channels_for
from shared.agreement_file import load
from shared.domain.agreement import Channel

EXAMPLE = load(Path(__file__).parents[5] / "deploy" / "agreement.example.yaml").agreement


def way(who: str, kind: str, settings: Mapping[str, str] | None = None) -> Channel:
    return Channel(who, kind, settings or {})


DEAL = replace(
    EXAMPLE,
    channels=(
        way("manager", "slack"),
        way("manager", "pagerduty"),
        way("manager", "email"),
        way("ann", "email"),
        way("ann", "opsgenie"),
        way("ops", "teams"),
    ),
)


@pytest.mark.parametrize(
    ("role", "person", "page", "kinds"),
    [
        ("manager", "ann", False, ["email", "opsgenie", "slack", "pagerduty"]),
        ("manager", "ann", True, ["opsgenie", "pagerduty", "email", "slack"]),
        ("manager", "bob", False, ["slack", "pagerduty", "email"]),
        ("manager", "bob", True, ["pagerduty", "slack", "email"]),
        ("rep", "ann", False, ["email", "opsgenie"]),
        ("ops", None, True, ["teams"]),
        ("rep", "bob", True, []),
    ],
)
def test_a_persons_channels_go_first_and_paging_ones_if_it_pages(
    role: str, person: str | None, page: bool, kinds: list[str]
) -> None:
    assert [channel.kind for channel in channels_for(DEAL, role, person, page=page)] == kinds


def test_two_ways_of_one_kind_are_both_taken_if_their_settings_differ() -> None:
    deal = replace(
        DEAL, channels=(way("ann", "slack", {"url_from": "env:A"}), way("rep", "slack", {"url_from": "env:R"}))
    )
    assert channels_for(deal, "rep", "ann", page=False) == deal.channels

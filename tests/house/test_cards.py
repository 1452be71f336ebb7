"""A service's card says what the service hears, says and keeps, no more and no less."""

import pytest

from shared.domain.events import TOPICS, TYPES
from tests.house.cards import Card, built, written
from tests.house.tree import SERVICES


@pytest.mark.parametrize("service", SERVICES)
def test_the_card_agrees_with_the_code(service: str) -> None:
    right = built(service)
    assert written(service) == right, f"services/{service}/__init__.py should say:\n\n{right.lines()}\n"


@pytest.mark.parametrize("service", ["router", "sla_monitor", "delivery", "scoreboard"])
def test_a_consuming_service_hears_and_keeps_something(service: str) -> None:
    assert built(service).hears
    assert {f"{service}_positions", f"{service}_inbox", f"{service}_outbox"} < built(service).keeps


def _all_cards() -> list[Card]:
    return [built(service) for service in SERVICES]


def test_every_topic_has_somebody_who_hears_it() -> None:
    assert set(TOPICS) == {topic for card in _all_cards() for topic in card.hears}


def test_every_type_has_somebody_who_says_it() -> None:
    assert set(TYPES) == {name for card in _all_cards() for name in card.says}


def test_only_one_service_says_a_type() -> None:
    said = [name for card in _all_cards() for name in card.says]
    assert len(said) == len(set(said)), sorted(name for name in set(said) if said.count(name) > 1)

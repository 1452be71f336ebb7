"""A service's manifest lists what the service consumes, publishes and stores, no more and no less."""

import pytest

from shared.domain.events import TOPICS, TYPES
from tests.architecture.manifest import Manifest, declared, derived
from tests.architecture.tree import SERVICES


@pytest.mark.parametrize("service", SERVICES)
def test_the_manifest_agrees_with_the_code(service: str) -> None:
    right = derived(service)
    assert declared(service) == right, f"services/{service}/__init__.py should say:\n\n{right.lines()}\n"


@pytest.mark.parametrize("service", ["router", "sla_monitor", "delivery", "scoreboard"])
def test_a_consuming_service_consumes_and_stores_something(service: str) -> None:
    assert derived(service).consumes
    assert {f"{service}_positions", f"{service}_inbox", f"{service}_outbox"} < derived(service).stores


def _all_manifests() -> list[Manifest]:
    return [derived(service) for service in SERVICES]


def test_every_topic_has_a_consumer() -> None:
    assert set(TOPICS) == {topic for manifest in _all_manifests() for topic in manifest.consumes}


def test_every_type_has_a_publisher() -> None:
    assert set(TYPES) == {name for manifest in _all_manifests() for name in manifest.publishes}


def test_only_one_service_publishes_a_type() -> None:
    names = [name for manifest in _all_manifests() for name in manifest.publishes]
    assert len(names) == len(set(names)), sorted(name for name in set(names) if names.count(name) > 1)

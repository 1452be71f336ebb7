import doctest

import pytest

from services.delivery.domain import event_types
from services.delivery.domain.event_types import types_of, vet_patterns
from shared.domain.errors import Refused
from shared.domain.events import PUBLIC


def test_the_examples_in_the_module_hold() -> None:
    assert doctest.testmod(event_types).failed == 0


def test_a_star_means_every_public_event_and_none_of_our_own() -> None:
    assert types_of(["*"]) == set(PUBLIC)
    assert "baton.move.requested.v1" not in types_of(["baton.*"])
    assert "baton.inquiry.received.v1" not in types_of(["*"])


def test_a_prefix_means_its_family_and_a_name_itself_alone() -> None:
    assert types_of(["baton.window.*"]) == {name for name in PUBLIC if name.startswith("baton.window.")}
    assert types_of(["baton.lead.assigned.v1"]) == {"baton.lead.assigned.v1"}


@pytest.mark.parametrize("pattern", ["", "baton.lead", "baton.move.requested.v1", "lead.*", "*.v1", "baton.lead.*.v1"])
def test_a_pattern_that_means_nothing_is_refused_where_it_stands(pattern: str) -> None:
    with pytest.raises(Refused) as refused:
        vet_patterns(["*", pattern], "/events")
    assert refused.value.pointer == "/events/1"
    assert "baton.lead.assigned.v1" in refused.value.detail


def test_repeats_are_dropped_and_order_is_preserved() -> None:
    assert vet_patterns(["baton.lead.*", "*", "baton.lead.*"], "/events") == ("baton.lead.*", "*")

"""The ways in which the torture test has services break."""

import pytest

from tests.torture.sabotage import WAYS


@pytest.mark.parametrize("way", WAYS)
def test_each_way_replaces_something_that_is_there(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    WAYS[way](monkeypatch.setattr)

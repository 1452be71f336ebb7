"""Which response times the median is the mean of."""

import statistics

from hypothesis import given
from hypothesis import strategies as st

from services.scoreboard.domain.pilots import median_places


@given(st.lists(st.integers(0, 900), max_size=9), st.integers(0, 9))
def test_the_median_is_that_of_all_with_breached_ones_as_the_longest(met: list[int], breached: int) -> None:
    places = median_places(len(met), breached)
    if not places:
        assert breached >= len(met)
        return
    times = sorted(met)
    assert sum(times[place] for place in places) / len(places) == statistics.median([*times, *[1e9] * breached])

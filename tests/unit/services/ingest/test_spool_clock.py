"""What the spool does while the clock of its machine is wrong: it loses nothing, and dates no activity wrongly."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from services.ingest.domain.pending_event import instant_at
from services.ingest.spool.stamps import SETTLED_S
from shared.domain.errors import Unavailable
from tests.kit.clocks import SteppedClock
from tests.unit.services.ingest.test_spool import call, draft, opened


@pytest.mark.parametrize("seconds", [1.5, -1.5])
async def test_a_small_step_of_the_clock_stops_nothing(tmp_path: Path, seconds: float) -> None:
    clock = SteppedClock()
    async with opened(tmp_path, clock=clock) as spool:
        await spool.append([call(1)])
        clock.step = timedelta(seconds=seconds)
        await spool.append([call(2)])
        assert await spool.clock_doubt() is None
        first, second = [entry.accepted_at_us for entry in await spool.oldest(after=0, limit=10)]
        assert first <= second
        assert abs(instant_at(second) - clock.now()) < timedelta(seconds=2)
        assert await spool.watermark(relayed=2) >= second


@pytest.mark.parametrize("hours", [1, -1, 24])
async def test_while_the_clock_is_in_doubt_leads_are_accepted_and_activities_are_not(
    tmp_path: Path, hours: float
) -> None:
    clock = SteppedClock()
    async with opened(tmp_path, clock=clock) as spool:
        await spool.append([call(1)])
        clock.step = timedelta(hours=hours)
        assert "baton clock accept" in str(await spool.clock_doubt())
        accepted, refused = await asyncio.gather(
            spool.append([draft(2)]), spool.append([call(3)]), return_exceptions=True
        )
        assert not isinstance(accepted, BaseException)
        assert isinstance(refused, Unavailable)
        with pytest.raises(Unavailable, match="clock"):
            await spool.watermark(relayed=2)
        clock.step = timedelta(milliseconds=300)
        await spool.append([call(3)])
        assert await spool.clock_doubt() is None
        stamps = [entry.accepted_at_us for entry in await spool.oldest(after=0, limit=10)]
    assert len(stamps) == 3
    assert stamps == sorted(stamps)
    assert abs(instant_at(stamps[-1]) - clock.now()) < timedelta(seconds=2)


@pytest.mark.parametrize("accepted", [True, False])
async def test_a_large_step_ahead_is_followed_once_it_is_accepted_or_the_clock_runs_evenly(
    tmp_path: Path, accepted: bool
) -> None:
    clock = SteppedClock()
    async with opened(tmp_path, clock=clock) as spool:
        clock.step = timedelta(hours=8)
        assert await spool.clock_doubt()
        if accepted:
            await spool.accept_clock()
        else:
            clock.passed_s = SETTLED_S
        assert await spool.clock_doubt() is None
        await spool.append([call(1)])
        [entry] = await spool.oldest(after=0, limit=10)
        assert abs(instant_at(entry.accepted_at_us) - clock.now()) < timedelta(seconds=1)


@pytest.mark.parametrize("accepted", [True, False])
async def test_a_spool_dated_by_a_clock_that_was_ahead_goes_on_under_a_new_name(tmp_path: Path, accepted: bool) -> None:
    clock = SteppedClock()
    clock.step = timedelta(hours=1)
    async with opened(tmp_path, clock=clock) as spool:
        await spool.append([call(1)])
        old, ahead = spool.instance, await spool.watermark(relayed=1)
        clock.step = timedelta()
        assert await spool.clock_doubt()
        await spool.renew_if_outdated()
        assert spool.instance == old
        if accepted:
            await spool.accept_clock()
        else:
            clock.passed_s = SETTLED_S
            assert await spool.clock_doubt()
        await spool.renew_if_outdated()
        assert spool.instance != old
        assert not spool.announced
        assert await spool.former() == {old: ahead}
        await spool.append([call(2)])
        name = spool.instance
    async with opened(tmp_path, clock=clock) as spool:
        assert (spool.instance, await spool.former()) == (name, {old: ahead})
        assert abs(instant_at(await spool.watermark(relayed=2)) - clock.now()) < timedelta(seconds=1)


async def test_a_clock_that_ntp_steers_for_a_day_is_never_in_doubt(tmp_path: Path) -> None:
    clock = SteppedClock()
    async with opened(tmp_path, clock=clock) as spool:
        for minute in range(24 * 60):
            clock.passed_s = minute * 60.0
            clock.step = timedelta(seconds=minute * 60 * 300e-6)
            assert await spool.clock_doubt() is None

"""What waits wakes at once, and nothing that comes between a look and a wait is missed."""

from shared.runtime.wakeup import WakeUp, WakeUps


async def test_a_wake_up_before_the_wait_ends_the_next_wait_once() -> None:
    wake = WakeUp()
    wake.set()
    assert await wake.wait(60)
    assert not await wake.wait(0)


async def test_every_listener_wakes_once_and_one_that_left_is_not_counted() -> None:
    wake = WakeUps()
    with wake.listen() as one, wake.listen() as other:
        wake.set()
        assert [await one.wait(60), await other.wait(60)] == [True, True]
        assert not await one.wait(0)
        assert len(wake) == 2
    assert len(wake) == 0

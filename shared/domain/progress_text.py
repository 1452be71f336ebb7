"""How a promise about a period goes, in words that both sides can check."""

from shared.domain.event import Progress, PromisePeriod


def progress_in_words(promise: str, progress: Progress) -> str:
    """What counts so far.

    >>> progress_in_words("volume", Progress(155, 200, 400.0, 310.0))
    '155 of 400 accepted, 200 handed over'
    >>> progress_in_words("accepted_share", Progress(13, 25, 0.6, 0.52))
    '13 of 25 decided leads accepted: 52 % of 60 %'
    >>> progress_in_words("hand_off_latency", Progress(0, 0, 120.0))
    'nothing to count yet'
    """
    counted, of = progress.counted, progress.of
    if promise == "volume":
        return f"{counted} of {progress.target:.0f} accepted, {of} handed over"
    if not of:
        return "nothing to count yet"
    if promise == "hand_off_latency":
        within = f"{counted} of {of} handed over within {progress.target:.0f} s"
        return f"{within}, 95 of 100 within {progress.pace:.0f} s" if progress.pace is not None else within
    what = "decided leads accepted" if promise == "accepted_share" else "leads complete"
    return f"{counted} of {of} {what}: {_percent(counted / of)} of {_percent(progress.target)}"


def pace_in_words(promise: str, period: PromisePeriod, progress: Progress) -> str:
    """What the period comes to if it goes on like this.

    >>> from datetime import datetime
    >>> november = PromisePeriod("month", datetime(2026, 11, 1), datetime(2026, 12, 1))
    >>> pace_in_words("volume", november, Progress(155, 200, 400.0, 310.0))
    "at this pace 310 of 400 by the month's end (155 of 400 accepted, 200 handed over)"
    """
    so_far = progress_in_words(promise, progress)
    if promise != "volume" or progress.pace is None:
        return f"so far {so_far}"
    pace = f"at this pace {progress.pace:.0f} of {progress.target:.0f}"
    return f"{pace} by the {period.per}'s end ({so_far})"


def _percent(share: float) -> str:
    return f"{round(share * 100, 1):g} %"

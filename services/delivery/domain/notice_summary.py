"""How notices stand, in words."""

from datetime import datetime


def summary(due: int, oldest_due_at: datetime | None, failed: int, now: datetime) -> str:
    """Whether notices wait, and whether any of the last day reached no one.

    >>> summary(0, None, 0, datetime(2026, 11, 21))
    'No notice is waiting, and none of the last 24 hours failed.'
    """
    sentences = []
    if due and oldest_due_at is not None:
        waits_s = max((now - oldest_due_at).total_seconds(), 0)
        sentences.append(f"{_notices(due)} waiting to be sent, the oldest for {waits_s:.0f} s.")
    if failed:
        sentences.append(f"{_notices(failed)} of the last 24 hours reached no one.")
    if not failed:
        ending = "none of the last 24 hours failed."
        sentences.append(ending.capitalize() if due else f"No notice is waiting, and {ending}")
    return " ".join(sentences)


def _notices(count: int) -> str:
    return "1 notice" if count == 1 else f"{count} notices"

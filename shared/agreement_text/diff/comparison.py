"""Compares two versions of a list of things: added, removed, moved and changed."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from typing import Any, TypeVar

from shared.agreement_text.conditions import condition_in_words, value_in_words
from shared.agreement_text.phrases import length, listed, quoted
from shared.domain.agreement import Duration
from shared.domain.conditions import GROUPS, Condition

T = TypeVar("T")


def keyed(
    old: Mapping[str, T],
    new: Mapping[str, T],
    came: Callable[[str, T], str],
    went: Callable[[str, T], str],
    stayed: Callable[[str, T, T], Iterable[str]],
) -> Iterator[str]:
    """Sentences about added things, changed things (in the new order), then removed things."""
    for name, now in new.items():
        if name in old:
            yield from stayed(name, old[name], now)
        else:
            yield came(name, now)
    for name, was in old.items():
        if name not in new:
            yield went(name, was)


def by_name(items: Iterable[T], name: Callable[[T], str]) -> dict[str, T]:
    """Things by name; duplicate names are numbered, so that nothing is lost."""
    seen: Counter[str] = Counter()
    named = {}
    for item in items:
        seen[name(item)] += 1
        again = seen[name(item)]
        named[name(item) if again == 1 else f"{name(item)} ({again})"] = item
    return named


def moved(old: Iterable[str], new: Iterable[str]) -> Iterator[tuple[str, str | None]]:
    """Names in both whose order changed, each with the name that now follows it (or None)."""
    after = list(new)
    both = set(after) & set(old)
    was, now = [name for name in old if name in both], [name for name in after if name in both]
    stayed: set[str] = set()
    for block in SequenceMatcher(None, was, now, autojunk=False).get_matching_blocks():
        stayed.update(now[block.b : block.b + block.size])
    for place, name in enumerate(after):
        if name in both - stayed:
            yield name, next(iter(after[place + 1 : place + 2]), None)


def reads(label: str, was: Any, now: Any, shown: Callable[[Any], str] = str, nothing: str = "nothing") -> Iterator[str]:
    """`label is now X (was Y)` if they differ; None and empty values read as `nothing`."""
    if was != now:
        yield f"{label} is now {_shown(now, shown, nothing)} (was {_shown(was, shown, nothing)})"


def membership(label: str, was: Sequence[str], now: Sequence[str], shown: Callable[[str], str] = str) -> Iterator[str]:
    """`label: now also X; no longer Y`, when they differ; the order does not count."""
    came, went = [name for name in now if name not in was], [name for name in was if name not in now]
    parts = []
    if came:
        parts.append(f"now also {listed(map(shown, came))}")
    if went:
        parts.append(f"no longer {listed(map(shown, went))}")
    if parts:
        yield f"{label}: {'; '.join(parts)}"


def durations(label: str, was: Duration | None, now: Duration | None, nothing: str = "not limited") -> Iterator[str]:
    """How a length of time changed, and whether that is shorter or longer where the two can be compared."""
    if _measure(was) == _measure(now):
        return
    trend = ""
    if was and now and was.business == now.business and bool(was.days) == bool(now.days):
        trend = ", which is " + ("shorter" if (now.days, now.seconds) < (was.days, was.seconds) else "longer")
    shown = [length(one) if one else nothing for one in (now, was)]
    yield f"{label} is now {shown[0]} (was {shown[1]}){trend}"


def conditions(label: str, was: Condition | None, now: Condition | None) -> Iterator[str]:
    """How a condition changed: the one comparison that did, or the whole when more than that is different."""
    if was == now:
        return
    if was is None or now is None:
        whole = condition_in_words(was or now or Condition("all"))
        yield (
            f"{label} now applies only when {whole}"
            if was is None
            else f"{label} always applies now (was: when {whole})"
        )
        return
    if _shape(was) == _shape(now):
        differing = [(b, a) for b, a in zip(_leaves(was), _leaves(now), strict=True) if b != a]
        if all((b.field, b.op) == (a.field, a.op) for b, a in differing):
            yield from (f"{label} now asks that {_leaf(b, a)}" for b, a in differing)
            return
    yield f"{label} now applies when {condition_in_words(now)} (was: when {condition_in_words(was)})"


def _shown(value: Any, shown: Callable[[Any], str], nothing: str) -> str:
    return nothing if value is None or value in ("", ()) else shown(value)


def _measure(duration: Duration | None) -> tuple[int, bool, int] | None:
    return (duration.seconds, duration.business, duration.days) if duration else None


def _leaf(was: Condition, now: Condition) -> str:
    if isinstance(was.value, tuple) and isinstance(now.value, tuple) and now.op in ("in", "not_in"):
        came = [value_in_words(value) for value in now.value if value not in was.value]
        went = [value_in_words(value) for value in was.value if value not in now.value]
        news = [f"new are {listed(came)}"] if came else []
        news += [f"gone are {listed(went)}"] if went else []
        return f"{condition_in_words(now)} ({'; '.join(news) or 'in another order'})"
    if not now.field:
        return f"{condition_in_words(now)} (was: {condition_in_words(was)})"
    return f"{condition_in_words(now)} (was {value_in_words(was.value)})"


def _leaves(condition: Condition) -> list[Condition]:
    if condition.op not in GROUPS:
        return [condition]
    return [leaf for part in condition.parts for leaf in _leaves(part)]


def _shape(condition: Condition) -> Any:
    if condition.op not in GROUPS:
        return None
    return condition.op, tuple(_shape(part) for part in condition.parts)


def titled(what: str, name: str, news: Iterable[str]) -> Iterator[str]:
    """Each piece of news with the thing that it is about in front."""
    return (f"{what} {quoted(name)}: {one}" for one in news)

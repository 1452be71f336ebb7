"""The segments of a promise of sales: `when`, and a chain of `otherwise` for the leads that are left."""

from collections.abc import Iterator

from shared.agreement_file.conditions.condition_reader import ConditionReader
from shared.agreement_file.schema.promise_schema import Otherwise, SalesPromise
from shared.agreement_file.text.block import MAX_INTEGER
from shared.agreement_file.text.findings import Findings, Path
from shared.agreement_file.text.values import UNIT_S, shown
from shared.domain.agreement import Duration, Segment
from shared.domain.conditions import Condition

_LIKE = "`{at_least: 80}`"


def segments_of(name: str, block: SalesPromise, path: Path, reader: ConditionReader) -> tuple[Segment, ...]:
    """The segments of the promise at `path` in order, none if it is for all leads. Refuses those that no lead reaches,
    and warns of leads without a promised first response.
    """
    found: list[Segment] = []
    for each, here in _chain(block, path):
        within = on_clock(each.within, block.clock, (*here, "within"), reader.findings)
        segment = _segment(each, within, here, reader)
        if segment is not None:
            _check_reach(segment, found, here, reader.findings)
            found.append(segment)
        if each.otherwise is not None and "when" not in each.model_fields_set:
            without = "`otherwise` has no `when` before it: remove it, or add `when: {score: {at_least: 80}}`"
            reader.refuse((*here, "otherwise"), "unreachable", without, key=True)
        elif name == "first_response" and each.otherwise is None and each.when is not None:
            left = segment is not None and segment.when is None and len(found) == 1
            which = f"leads below {found[0].at_least_score}" if left else "leads for which no `when` holds"
            unpromised = f"{which} have no promised response: add `otherwise`"
            reader.findings.warn((*here, "when"), "no_otherwise", unpromised, key=True)
    return tuple(found) if "when" in block.model_fields_set else ()


def path_of(number: int) -> Path:
    """Where the segment with this number, from 0, is below its promise."""
    return ("otherwise",) * number


def on_clock(written: Duration, clock: str, path: Path, findings: Findings) -> Duration:
    """The duration on the promise's clock. Refuses what could mean two things there."""
    if clock == "wall" and written.business:
        findings.refuse(path, "clock", f"`{written.text}` needs `clock: rep_calendar`, but the clock is `wall`")
    if clock == "rep_calendar" and not written.business and written.text.rstrip("s").endswith("day"):
        days, hours = written.text.replace("day", "business day"), written.seconds // UNIT_S["hour"]
        way = f"write `{days}`, `{hours} hours` if you mean so many working hours, or take `clock: wall`"
        could = f"`{written.text}` on the rep's calendar could mean 24 hours or a workday"
        findings.refuse(path, "clock", f"{could}: {way}")
    return Duration(written.seconds, clock == "rep_calendar", written.text, written.days)


def _chain(block: SalesPromise, path: Path) -> Iterator[tuple[SalesPromise | Otherwise, Path]]:
    each: SalesPromise | Otherwise | None = block
    while each is not None:
        yield each, path
        each, path = each.otherwise, (*path, "otherwise")


def _segment(block: SalesPromise | Otherwise, within: Duration, path: Path, reader: ConditionReader) -> Segment | None:
    """The segment; None if its `when` was refused."""
    written, score = block.when, None
    here: Path = (*path, "when")
    if isinstance(written, dict) and "score" in written:
        score = _score(written["score"], (*here, "score"), reader)
        written = {key: value for key, value in written.items() if key != "score"}
        if score is None:
            return None
    when: Condition | None = None
    if written != {} or score is None:
        when = reader.read(written, here)
        if when is None and "when" in block.model_fields_set:
            return None
    return Segment(within, score, when)


def _score(written: object, path: Path, reader: ConditionReader) -> int | None:
    least = written.get("at_least") if isinstance(written, dict) else None
    if written is None or (isinstance(written, dict) and None in written.values()):
        return None  # a key without a value is refused elsewhere
    if not isinstance(written, dict) or set(written) != {"at_least"}:
        reader.refuse(path, "wrong_value", f"{shown(written)} is no threshold: write {_LIKE}")
        return None
    if isinstance(least, bool) or not isinstance(least, int) or abs(least) > MAX_INTEGER:
        what = f"`at_least` should be a whole number, not {shown(least)}"
        reader.refuse((*path, "at_least"), "wrong_type", what)
        return None
    return least


def _check_reach(segment: Segment, before: list[Segment], path: Path, findings: Findings) -> None:
    if any(_covers(each, segment) for each in before):
        taken = "this segment is never reached: an earlier `when` takes all of its leads. Remove it, or move it up"
        findings.refuse((*path, "when"), "unreachable", taken, key=True)


def _covers(one: Segment, other: Segment) -> bool:
    """Whether all leads of the other segment are in the first one too, as far as the conditions show."""
    scored = one.at_least_score is None or (
        other.at_least_score is not None and other.at_least_score >= one.at_least_score
    )
    return scored and one.when in (None, other.when) and (one.at_least_score, one.when) != (None, None)

"""What changed between two agreements, in words. Layout, comments and the order of keys do not count."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from types import MappingProxyType

from shared.agreement_text.conditions import condition_in_words
from shared.agreement_text.diff import head, leads, people, promises, rest
from shared.agreement_text.diff.comparison import conditions, keyed, membership, reads, titled
from shared.agreement_text.phrases import quoted
from shared.domain.agreement import Agreement, Pilot


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that changed, as a clause, and the area of the agreement that it belongs to."""

    area: str
    words: str


def differences(old: Agreement, new: Agreement) -> tuple[Difference, ...]:
    """All changes from `old` to `new`, in the order of the agreement; empty if both mean the same."""
    return tuple(Difference(area, words) for area, compare in _AREAS.items() for words in compare(old, new))


def _pilots(old: Agreement, new: Agreement) -> Iterator[str]:
    yield from keyed(
        {pilot.name: pilot for pilot in old.pilots},
        {pilot.name: pilot for pilot in new.pilots},
        lambda name, pilot: (
            f"pilot {quoted(name)} is new ({pilot.mode}), for leads for which {condition_in_words(pilot.scope)}"
        ),
        lambda name, _: f"pilot {quoted(name)} ends",
        lambda name, was, now: chain(
            conditions(f"pilot {quoted(name)}", was.scope, now.scope), titled("pilot", name, _pilot(was, now))
        ),
    )
    yield from membership("the files next to the agreement", tuple(old.files), tuple(new.files))


def _pilot(was: Pilot, now: Pilot) -> Iterator[str]:
    yield from reads("its mode", was.mode, now.mode)
    for change in differences(was.agreement, now.agreement):
        yield f"in its draft, {change.area}: {change.words}"


_AREAS: Mapping[str, Callable[[Agreement, Agreement], Iterator[str]]] = MappingProxyType(
    {
        "Head": head.head,
        "Facts": head.facts,
        "Working hours": head.calendars,
        "Qualified leads": leads.qualification,
        "Score": leads.scoring,
        "People": people.people,
        "Pools": people.pools,
        "Waiting leads": people.queues,
        "Routing": people.routing,
        "Promises of sales": promises.sales,
        "Promises of marketing": promises.marketing,
        "Promises of operations": promises.operations,
        "Ladders": promises.ladders,
        "On duty": promises.duty,
        "Silences": promises.silences,
        "Quiet hours": promises.quiet_hours,
        "Channels": promises.channels,
        "Feedback": rest.feedback,
        "Material": rest.material,
        "Goals": rest.goals,
        "Pilots": _pilots,
    }
)

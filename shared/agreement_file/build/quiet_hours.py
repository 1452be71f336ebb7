"""The quiet hours of the file: when a role or person is not notified, and whether pages are sent all the same."""

from collections.abc import Collection, Mapping, Sequence
from typing import get_args

from shared.agreement_file.schema.promise_schema import Role
from shared.agreement_file.schema.quiet_schema import Quiet
from shared.agreement_file.text.findings import Findings, Path
from shared.domain.calendar import DAY_S, Span
from shared.domain.silences import QuietHours

_EXCEPT = "except"


def quiet_hours_of(
    blocks: Mapping[str, Quiet] | None, people: Collection[str] | None, findings: Findings
) -> QuietHours | None:
    """The quiet hours of each role and person. Refuses unknown names, and hours that leave no time of the day. `people`
    is None if they could not be read.
    """
    if blocks is None:
        return None
    hours = {}
    known = [*get_args(Role), *(people or ())]
    for name, quiet in blocks.items():
        path: Path = ("quiet_hours", name)
        if name == _EXCEPT:
            if quiet != "page":
                findings.refuse(path, "wrong_value", "`except` says which notices are sent all the same: write `page`")
        elif quiet == "page":
            findings.refuse(path, "wrong_value", f"`page` belongs to `except`: write the hours of `{name}`")
        elif people is not None and name not in known:
            findings.refuse_unknown((*path,), "role or person", name, known)
        elif _all_day(quiet):
            never = f"`{name}` would never be notified: leave some time of the day, or use a silence, which has an end"
            findings.refuse(path, "wrong_value", never)
        else:
            hours[name] = tuple(quiet)
    if hours and _EXCEPT not in blocks:
        wait = "pages wait for the end of quiet hours as well: add `except: page` if they must not"
        findings.warn(("quiet_hours",), "pages_wait", wait, key=True)
    return QuietHours(hours, except_page=blocks.get(_EXCEPT) == "page")


def _all_day(spans: Sequence[Span]) -> bool:
    """Whether the spans leave no minute of the day."""
    minutes = set()
    for begins_s, ends_s in spans:
        last_s = ends_s if ends_s > begins_s else ends_s + DAY_S
        minutes |= {minute % (DAY_S // 60) for minute in range(begins_s // 60, last_s // 60)}
    return len(minutes) == DAY_S // 60

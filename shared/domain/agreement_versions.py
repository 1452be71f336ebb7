"""Which version of an agreement is in force at an instant, and whether a new one may follow the stored versions.

The version with the latest `effective_from` that has passed is in force; of two with the same instant, the higher
version.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from shared.domain.agreement import Agreement
from shared.domain.approvals import Approval
from shared.domain.events import AgreementRef
from shared.domain.zones import time_zone


@dataclass(frozen=True, slots=True)
class Version:
    """A stored version. `activated_at` is when it was first found to be in force; None before that."""

    name: str
    version: int
    hash: str
    effective_from: datetime
    kept_at: datetime
    activated_at: datetime | None
    approved_by: Mapping[str, Approval]

    @property
    def ref(self) -> AgreementRef:
        """How events name it."""
        return AgreementRef(self.name, self.version, self.hash)

    @property
    def order(self) -> tuple[datetime, int, datetime]:
        """Versions of one agreement follow each other in this order."""
        return self.effective_from, self.version, self.kept_at


class Schedule:
    """Agreements by the instant from which each is in force."""

    def __init__(self, agreements: Sequence[tuple[datetime, Agreement]] = ()) -> None:
        """`agreements` are in the order in which they follow each other."""
        self._from = [at for at, _ in agreements]
        self._agreements = [agreement for _, agreement in agreements]

    def at(self, now: datetime) -> Agreement | None:
        """The agreement in force at `now`; None before the first."""
        place = bisect_right(self._from, now)
        return self._agreements[place - 1] if place else None

    def next_after(self, now: datetime) -> datetime | None:
        """When the next one takes effect, if one is to come."""
        place = bisect_right(self._from, now)
        return self._from[place] if place < len(self._from) else None


def stored_version(agreement: Agreement, now: datetime) -> Version:
    """The version for an agreement that is stored at `now`."""
    return Version(
        name=agreement.name,
        version=agreement.version,
        hash=agreement.hash,
        effective_from=agreement.effective_from,
        kept_at=now,
        activated_at=None,
        approved_by=agreement.approved_by,
    )


def version_in_force(versions: Sequence[Version], now: datetime) -> Version | None:
    """The one of the stored versions that is in force at `now`: of the agreement that was activated last."""
    active = [version for version in versions if version.activated_at is not None]
    latest = max(active or versions, key=lambda version: version.activated_at or version.kept_at, default=None)
    due = [each for each in versions if latest and each.name == latest.name and each.effective_from <= now]
    return max(due, key=lambda version: version.order, default=None)


def relevant_versions(versions: Sequence[Version], name: str, now: datetime, before: Version | None) -> list[Version]:
    """The versions of the agreement `name` that matter from `now` on, in order: the previous one, the one in force, and
    later ones. Until one is in force, `before` (of another name) stays in force.
    """
    own = sorted((v for v in versions if v.name == name), key=lambda v: v.order)
    past = [v for v in own if v.effective_from <= now][-2:]
    if not past and before is not None:
        past = [before]
    return past + [v for v in own if v.effective_from > now]


def objection(new: Agreement, versions: Sequence[Version], now: datetime) -> str | None:
    """Why `new` may not follow `versions`, and how to fix it; None if it may, or is stored already."""
    own = sorted((v for v in versions if v.name == new.name), key=lambda v: v.order)
    past = [v for v in own if v.effective_from <= now]
    current = past[-1] if past else None
    if current is not None and current.version > new.version:
        return (
            f"version {new.version} is lower than version {current.version}, which is in force: count `version` on "
            f"from the highest that is stored ({max(v.version for v in own)})"
        )
    if any(v.hash == new.hash for v in own):
        return None
    unsigned = next((found for each in new.with_drafts for found in later_approvals(each, now).values()), None)
    if unsigned is not None:
        return unsigned
    if any(v.version == new.version for v in own):
        return (
            f"version {new.version} is stored with other content: count `version` on from the highest that is stored "
            f"({max(v.version for v in own)})"
        )
    if current is not None and current.effective_from > new.effective_from:
        return (
            f"version {new.version} would never be in force: let `effective_from` be "
            f"{_rfc3339(current.effective_from)} or later, since that is from when version {current.version} is"
        )
    return None


def later_approvals(agreement: Agreement, now: datetime) -> dict[str, str]:
    """By side, why its approval does not count yet at `now`: it is dated on a day to come, in the agreement's zone."""
    today = now.astimezone(time_zone(agreement.timezone)).date()
    return {
        side: f"{approval.name} approves only on {approval.on}: write the day on which {side} signed"
        for side, approval in agreement.approved_by.items()
        if approval.on > today
    }


def warning(new: Agreement, versions: Sequence[Version]) -> str | None:
    """A warning about storing `new`, if a lower version will take over from it later."""
    later = [v for v in versions if v.name == new.name and v.version < new.version]
    taking_over = [v for v in later if v.effective_from > new.effective_from]
    if not taking_over:
        return None
    last = max(taking_over, key=lambda v: v.order)
    return (
        f"version {last.version} is stored too and takes over from version {new.version} on "
        f"{_rfc3339(last.effective_from)}: if it should not, store a higher version that takes effect at that instant"
    )


def _rfc3339(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")

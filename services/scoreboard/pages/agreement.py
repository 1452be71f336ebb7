"""What the agreement's pages show: the agreement in force in plain sentences, its versions, and what changed between
any two of them. Plain values, no markup.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from zoneinfo import ZoneInfo

from services.scoreboard.pages.formats import Badge
from shared.agreement_text.diff import differences
from shared.agreement_text.explain import explained
from shared.agreement_text.section import Section
from shared.agreements import store as agreements
from shared.db.engine import Tx
from shared.domain.agreement import Agreement
from shared.domain.agreement_versions import Version, version_in_force
from shared.domain.errors import Misconfigured, NotFound

_IN_FORCE = Badge("in force", "check", "good")
_TO_COME = Badge("to come", "clock", "warn")
_BEFORE = Badge("earlier", "dot", "quiet")


@dataclass(frozen=True, slots=True)
class StoredVersion:
    """A stored version, its state today, and the number of the previous version."""

    version: Version
    badge: Badge
    before: int | None


@dataclass(frozen=True, slots=True)
class AgreementPage:
    """A version in sentences and as written (`text`), with all stored versions, newest first. `unreadable` says why
    there are no sentences. `pilots` is true if there are pilots.
    """

    now: datetime
    shown: StoredVersion
    versions: Sequence[StoredVersion]
    sections: Sequence[Section]
    text: str
    pilots: bool
    unreadable: str | None


@dataclass(frozen=True, slots=True)
class DifferencePage:
    """What changes from version `old` to version `new`, by area."""

    now: datetime
    name: str
    old: int
    new: int
    versions: Sequence[StoredVersion]
    areas: Sequence[tuple[str, Sequence[str]]]
    unreadable: str | None


async def agreement_page(tx: Tx, number: int | None, now: datetime, zone: ZoneInfo) -> AgreementPage | None:
    """Version `number`, or the one in force. None if there is no agreement. Raises `NotFound` for an unknown number."""
    versions = await _stored(tx, now)
    if not versions:
        return None
    shown = (
        next((one for one in versions if one.badge is _IN_FORCE), versions[0])
        if number is None
        else _numbered(versions, number)
    )
    agreement = await _read(tx, shown.version)
    if not isinstance(agreement, Agreement):
        return AgreementPage(now, shown, versions, (), "", pilots=False, unreadable=str(agreement))
    sections = explained(agreement, now.astimezone(zone).date())
    return AgreementPage(now, shown, versions, sections, agreement.text, pilots=bool(agreement.pilots), unreadable=None)


async def difference_page(tx: Tx, old: int, new: int, now: datetime) -> DifferencePage:
    """Compares two stored versions of the agreement in force. Raises `NotFound` if one is not stored."""
    versions = await _stored(tx, now)
    pair = [_numbered(versions, number).version for number in (old, new)]
    was, becomes = [await _read(tx, version) for version in pair]
    if not (isinstance(was, Agreement) and isinstance(becomes, Agreement)):
        wrong = was if isinstance(was, str) else str(becomes)
        return DifferencePage(now, pair[0].name, old, new, versions, (), wrong)
    by_area = groupby(differences(was, becomes), key=lambda found: found.area)
    areas = [(area, [found.words for found in of_area]) for area, of_area in by_area]
    return DifferencePage(now, pair[0].name, old, new, versions, areas, None)


async def _stored(tx: Tx, now: datetime) -> list[StoredVersion]:
    versions = await agreements.versions(tx)
    if not versions:
        return []
    current = version_in_force(versions, now)
    latest = current or max(versions, key=lambda version: version.activated_at or version.kept_at)
    own = sorted((version for version in versions if version.name == latest.name), key=lambda version: version.order)
    listed = []
    previous: int | None = None
    for version in own:
        if version is current:
            badge = _IN_FORCE
        elif version.effective_from <= now:
            badge = _BEFORE
        else:
            badge = _TO_COME
        listed.append(StoredVersion(version, badge, previous))
        previous = version.version
    return listed[::-1]


def _numbered(versions: Sequence[StoredVersion], number: int) -> StoredVersion:
    found = next((one for one in versions if one.version.version == number), None)
    if found is None:
        known = ", ".join(str(one.version.version) for one in versions) or "none"
        raise NotFound(f"There is no version {number} of the agreement. Stored versions: {known}.")
    return found


async def _read(tx: Tx, version: Version) -> Agreement | str:
    """The agreement, or why this version of Baton cannot read what another version stored."""
    try:
        return await agreements.by_hash(tx, version.hash)
    except Misconfigured as refused:
        return f"Version {version.version} was stored by another Baton, and this one does not read it: {refused.detail}"

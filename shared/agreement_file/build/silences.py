"""The silences of the file: when promises notify nobody, and why."""

from collections.abc import Collection, Sequence
from zoneinfo import ZoneInfo

from shared.agreement_file.schema.silence_schema import MatchesBlock, SilenceBlock
from shared.agreement_file.text.findings import Findings, Path
from shared.agreement_file.text.values import instant_in
from shared.domain.agreement import Agreement
from shared.domain.silences import MAX_SILENCE, Silence
from shared.domain.zones import time_zone

MAX_SILENCES = 100


def silences_of(blocks: Sequence[SilenceBlock], agreement: Agreement, findings: Findings) -> tuple[Silence, ...]:
    """The silences, in order. Refuses those that end before they begin or last longer than `MAX_SILENCE`, and unknown
    promises, people and pools. `agreement` is the one to which they will belong.
    """
    if len(blocks) > MAX_SILENCES:
        many = f"there are at most {MAX_SILENCES} silences, not {len(blocks)}: remove those that are over"
        findings.refuse(("silences",), "too_many", many, key=True)
        return ()
    zone = time_zone(agreement.timezone)
    return tuple(
        [_silence(block, ("silences", index), zone, agreement, findings) for index, block in enumerate(blocks)]
    )


def _silence(block: SilenceBlock, path: Path, zone: ZoneInfo, agreement: Agreement, findings: Findings) -> Silence:
    starts_at, ends_at = instant_in(block.from_, zone), instant_in(block.to, zone)
    if ends_at <= starts_at:
        ends = "the silence ends before it begins: let `to` be later than `from`"
        findings.refuse((*path, "to"), "wrong_value", ends)
    elif ends_at - starts_at > MAX_SILENCE:
        long = f"a silence lasts at most {MAX_SILENCE.days} days: what is missed longer has to be noticed"
        findings.refuse((*path, "to"), "wrong_value", long)
    matches = block.matches or MatchesBlock()
    promises = [*agreement.promises, *agreement.operations, *agreement.commitments]
    _check((*path, "matches", "promise"), "promise", matches.promise, promises, findings)
    _check((*path, "matches", "owner"), "person", matches.owner, agreement.people, findings)
    _check((*path, "matches", "pool"), "pool", matches.pool, agreement.pools, findings)
    return Silence(starts_at, ends_at, block.reason, matches.promise, matches.owner, matches.pool, matches.side)


def _check(path: Path, what: str, name: str | None, known: Collection[str], findings: Findings) -> None:
    if name is not None and known and name not in known:
        findings.refuse_unknown(path, what, name, known)

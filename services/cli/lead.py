"""`./baton lead`: re-derives every verdict on a lead from its record, in words; merges leads of one person, and splits
wrong merges.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from services.cli.client import send
from services.router.domain.proof import Proof
from services.router.domain.rederivation import AgreementText, ProofRecord, decode, differences
from shared import agreement_file
from shared.domain.agreement import Agreement
from shared.domain.errors import Misconfigured, Refused


@dataclass(frozen=True, slots=True)
class Story:
    """The verdicts on a lead as text, and whether all of them follow from the record."""

    lines: tuple[str, ...]
    follows: bool


def fetched(environ: Mapping[str, str], lead_id: str, url: str | None = None) -> bytes:
    """The lead's record from the running Baton. Raises as `send`."""
    return send(environ, "GET", f"/v1/leads/{quote(lead_id, safe='')}/record", url).content


def orphans(environ: Mapping[str, str], url: str | None = None) -> list[str]:
    """One line per lead id that activities wait for, longest-waiting first, then those that expired; at most 200 of
    each. Raises as `send`.
    """
    states = ("waiting", "expired")
    pages = [send(environ, "GET", f"/v1/orphans?state={each}&limit=200", url).json()["items"] for each in states]
    return [
        f"{item['lead_id']}: {item['activities']} activities since {item['since']} ({item['age_s']} s)"
        + (f", expired at {item['expired_at']}" if item.get("expired_at") else "")
        for items in pages
        for item in items
    ]


def merged(
    environ: Mapping[str, str], lead_id: str, into: str, *, reason: str, by: str | None, url: str | None = None
) -> str:
    """Merge the lead into another one, and say what came of it. Raises as `send`."""
    return _asked(environ, lead_id, "merge", {"into": into, "reason": reason, "by": by}, url)


def split(environ: Mapping[str, str], lead_id: str, *, reason: str, by: str | None, url: str | None = None) -> str:
    """Split the id from the lead that it became part of, and say what came of it. Raises as `send`."""
    return _asked(environ, lead_id, "split", {"reason": reason, "by": by}, url)


def _asked(environ: Mapping[str, str], lead_id: str, what: str, body: object, url: str | None) -> str:
    lead = send(environ, "POST", f"/v1/leads/{quote(lead_id, safe='')}/{what}", url, body).json()
    owner = f" to {lead['owner']['rep']}" if lead.get("owner") else ""
    return f"{lead['lead_id']} is {lead['state']}{owner}."


def explained(lead_id: str, source: bytes | Path) -> Story:
    """The verdicts in a record, given as bytes or as a file.

    Raises `Misconfigured` if the file cannot be read, and `Refused` if a byte was changed, if it is about another
    lead, or if an agreement in it does not match its hash.
    """
    record = decode(_bytes_of(source) if isinstance(source, Path) else source)
    if record.lead_id != lead_id:
        raise Refused(f"The record is about {record.lead_id}, not {lead_id}. Use the record of this lead.")
    agreements = {digest: _agreement(digest, text) for digest, text in record.agreements.items()}
    lines: list[str] = []
    doubts = 0
    for number, proof in enumerate(record.proofs, 1):
        differing = differences(proof, agreements[proof.agreement.hash])
        doubts += bool(differing)
        lines += [*_verdict(number, proof), *(f"   DOES NOT FOLLOW  {each}" for each in differing)]
    lines.append(_end(record, doubts))
    return Story(tuple(lines), not doubts)


def _bytes_of(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise Misconfigured(f"{file} can't be read ({error.strerror}). Check the path.") from error


def _agreement(digest: str, text: AgreementText) -> Agreement:
    found = agreement_file.parse(text.text, digest, text.drafts, holidays=text.holidays).agreement
    if found.hash != digest:
        raise Refused(f"The agreement in the record does not have the hash {digest}. Download the record again.")
    return found


def _verdict(number: int, proof: Proof) -> Iterator[str]:
    ref = proof.agreement
    yield f"{number}. {proof.decided_at:%Y-%m-%d %H:%M:%S} UTC  {proof.verdict}: {proof.reason}"
    yield f"   under {ref.name} version {ref.version} ({ref.hash})"
    if proof.score_parts:
        yield f"   {proof.score} points: {', '.join(proof.score_parts)}"
    for skipped in proof.skipped:
        yield f"   rule '{skipped.rule}' passed on: {skipped.why}"
    over = proof.turn.passed_over if proof.turn is not None else proof.passed_over
    for rep, why in over.items():
        yield f"   not {rep}: {why}"


def _end(record: ProofRecord, doubts: int) -> str:
    count = len(record.proofs)
    if doubts:
        return f"{doubts} of {count} verdicts do not follow from the record."
    return f"All {count} verdicts follow from the record." if count > 1 else "The verdict follows from the record."

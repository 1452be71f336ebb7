"""`./baton lead explain`: every verdict on a lead, derived again from its record alone, in words."""

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
    """What there is to say about a lead, and whether all of it follows from the record."""

    lines: tuple[str, ...]
    follows: bool


def fetched(environ: Mapping[str, str], lead_id: str, url: str | None = None) -> bytes:
    """The lead's record from the running Baton. Raises as `send`."""
    return send(environ, "GET", f"/v1/leads/{quote(lead_id, safe='')}/record", url).content


def explained(lead_id: str, source: bytes | Path) -> Story:
    """The story that a record (or the file with it) tells.

    Raises `Misconfigured` when the file can't be read, `Refused` when a byte of it was changed, when it is about
    another lead, or when an agreement in it is not the one that its hash names.
    """
    record = decode(_bytes_of(source) if isinstance(source, Path) else source)
    if record.lead_id != lead_id:
        raise Refused(f"The record is about {record.lead_id}, not about {lead_id}. Give the record of this lead.")
    agreements = {digest: _agreement(digest, text) for digest, text in record.agreements.items()}
    lines: list[str] = []
    doubts = 0
    for number, proof in enumerate(record.proofs, 1):
        differing = differences(proof, agreements[proof.agreement.hash])
        doubts += bool(differing)
        lines += [*_told(number, proof), *(f"   DOES NOT FOLLOW  {each}" for each in differing)]
    lines.append(_end(record, doubts))
    return Story(tuple(lines), not doubts)


def _bytes_of(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise Misconfigured(f"{file}: the record can't be read: {error.strerror}. Check the path.") from error


def _agreement(digest: str, text: AgreementText) -> Agreement:
    found = agreement_file.parse(text.text, digest, drafts=text.drafts).agreement
    if found.hash != digest:
        raise Refused(f"The agreement in the record is not the one with the hash {digest}. Fetch the record again.")
    return found


def _told(number: int, proof: Proof) -> Iterator[str]:
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
    return f"Each of {count} verdicts follows from the record." if count > 1 else "The verdict follows from the record."

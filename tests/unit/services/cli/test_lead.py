"""A lead's record proves its verdicts without anything else, and no byte of it can change unnoticed."""

from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from services.cli.app import run
from services.cli.lead import explained
from services.router.domain.decision import decide
from services.router.domain.proof import ReassignReason
from services.router.domain.reassignment import reassign
from services.router.domain.rederivation import AgreementText, ProofRecord, encode
from services.router.domain.routing_state import RoutingState
from shared.domain.errors import Refused
from shared.domain.events import InquiryReceived
from shared.domain.lead import Company, Consent, Contact
from tests.kit.agreements import agreement

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
AGREED = agreement()


def record() -> ProofRecord:
    inquiry = InquiryReceived(
        lead_id="ld_1",
        inquiry_id="inq_1",
        source="website",
        kind="demo_request",
        accepted_at=NOW,
        contact=Contact(email="jo@example.com"),
        company=Company(name="Example"),
        consent=Consent(basis="opt_in"),
    )
    routing = RoutingState()
    first = decide(routing, AGREED, inquiry, NOW)
    second = reassign(routing, AGREED, ReassignReason("missed"), first.lead, inquiry, NOW)
    assert second is not None
    return ProofRecord("ld_1", (first.proof, second.proof), {AGREED.hash: AgreementText(AGREED.text)})


def test_the_story_names_each_verdict_and_says_that_all_of_it_follows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "lead.record"
    file.write_bytes(encode(record()))
    assert run(["lead", "explain", "ld_1", "--offline", str(file)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "1. 2026-11-23 09:00:00 UTC  assigned: rule 'everyone else' sends it to benelux; ann is next by weighted turns",
        f"   under test version 1 ({AGREED.hash})",
        "   40 points: asked for a demo",
        "2. 2026-11-23 09:00:00 UTC  reassigned: ann missed the promise; bob is the only one available",
        f"   under test version 1 ({AGREED.hash})",
        "   not ann: had the lead and missed the promise",
        "All 2 verdicts follow from the record.",
    ]


def test_every_changed_byte_is_noticed() -> None:
    whole = encode(record())
    for place in range(len(whole)):
        changed = bytearray(whole)
        changed[place] ^= 1
        with pytest.raises(Refused, match="The record was changed"):
            explained("ld_1", bytes(changed))
    with pytest.raises(Refused, match="The record was changed"):
        explained("ld_1", whole + b" ")


def test_a_forged_verdict_with_a_new_digest_does_not_follow() -> None:
    honest = record()
    first, second = honest.proofs
    forged = msgspec.structs.replace(honest, proofs=(msgspec.structs.replace(first, rep="bob"), second))
    story = explained("ld_1", encode(forged))
    assert not story.follows
    assert '   DOES NOT FOLLOW  rep: the record says "bob", what follows is "ann"' in story.lines
    assert story.lines[-1] == "1 of 2 verdicts do not follow from the record."


def test_a_forged_agreement_and_the_record_of_another_lead_are_refused() -> None:
    honest = record()
    texts = {AGREED.hash: AgreementText(AGREED.text.replace("ann: 2", "ann: 9"))}
    with pytest.raises(Refused, match="does not have the hash"):
        explained("ld_1", encode(msgspec.structs.replace(honest, agreements=texts)))
    with pytest.raises(Refused, match="is about ld_1, not ld_2"):
        explained("ld_2", encode(honest))

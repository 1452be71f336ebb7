"""In which segments of promises a lead is that goes to someone without being judged again."""

from services.router.domain.lead import Lead
from services.router.domain.proof import known_facts
from services.router.domain.routing_state import Owner
from shared.domain.agreement import Agreement
from shared.domain.events import InquiryReceived, PromiseSegment
from shared.domain.segments import chosen


def known_segments(
    agreement: Agreement, lead: Lead, inquiry: InquiryReceived, account: Owner | None, proof_format: int
) -> tuple[PromiseSegment, ...]:
    """The segments by what is known of the person now, and under the agreement by which the lead goes to someone.
    Signals count to the instant at which `inquiry` was accepted: no segment is left because time passes.
    """
    if not any(promise.asks_facts for promise in agreement.promises.values()):
        return ()
    facts = known_facts(inquiry, lead, account, inquiry.accepted_at, again=True, proof_format=proof_format)
    return chosen(agreement, lead.score, facts)

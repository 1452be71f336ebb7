"""The kinds of activity: what sales can do about a lead, and what each means for leads and promises."""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Literal

from shared.domain.lead import LeadStage

ActivityKind = Literal[
    "call", "email", "meeting", "accepted", "rejected", "declined", "disputed", "objection", "content_used",
    "stage", "opportunity", "won", "lost", "renewed", "churned", "note", "consent_withdrawn", "paused", "resumed",
]  # fmt: skip

PromisedKind = Literal["call", "email", "meeting", "accepted", "rejected", "objection"]
"""What a promise may ask for."""

Outcome = Literal["connected", "no_answer", "voicemail", "bounced"]
"""How an attempt to reach the buyer went."""

REACHED = "connected"
FAILED = "bounced"
"""An attempt that never got to the buyer: it keeps no promise unless the promise lists it."""

CLOSING = ("rejected", "lost", "won")
"""Kinds that end a lead; a later inquiry of the person begins a new cycle. If it ended twice at the same instant, the
later one here counts.
"""

WITHDRAWN = "consent_withdrawn"
"""The kind after which a lead is closed, and the person's inquiries are no leads until one gives a new consent."""

CHANGES_LEAD = ("accepted", "declined", "opportunity", "stage", WITHDRAWN, *CLOSING)
"""Kinds that may change a lead."""

ANSWERS = ("call", "email", "meeting")
"""Kinds by which sales gets in touch with the buyer."""

SALES_STAGES: tuple[LeadStage, ...] = ("sal", "sql", "opportunity")
"""The stages that an activity of kind `stage` may report."""

ENDING: Mapping[str, str] = MappingProxyType(
    {"rejected": "rejected", "won": "won", "lost": "lost", "consent_withdrawn": "consent withdrawn"}
)
"""Kinds of activity after which nothing more is owed on the lead, with the reason that is given."""

DECISIVE = frozenset({"meeting", "accepted", *ENDING})
"""Kinds that keep a promise of several facts at once, when it lists them: no one has to be called a sixth time after
a meeting. Other kinds count once each."""

LETTING_GO = frozenset({"declined", *ENDING})
"""Kinds by which an owner gives up a lead."""

_STAGE_OF: Mapping[str, LeadStage] = MappingProxyType(
    {"accepted": "sal", "opportunity": "opportunity", "won": "customer"}
)


def stage_named(text: str) -> LeadStage | None:
    """The stage that sales names, without case and space; None for what is none of `SALES_STAGES`."""
    return next((stage for stage in SALES_STAGES if stage == text.strip().casefold()), None)


def ends_after(kind: str, at: datetime, known: str, known_at: datetime) -> bool:
    """Whether sales ended a lead so after the `known` end. That is so for one of two ends at the same instant, in
    whatever order they are read.
    """
    return (at, _rank(kind)) > (known_at, _rank(known))


def _rank(kind: str) -> int:
    return CLOSING.index(kind) if kind in CLOSING else -1


def reported_stage(kind: str, stage: str | None) -> LeadStage | None:
    """The stage that an activity says a lead has reached; None if it says nothing about that."""
    return stage_named(stage or "") if kind == "stage" else _STAGE_OF.get(kind)

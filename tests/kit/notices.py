"""Notices for tests: an ordinary one, and one whose every text is from someone who means harm."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from services.delivery.domain.notice import Buyer, Link, Notice, Recipient

HOSTILE = '<!channel> <b onclick=x>&amp;\r\nBcc: all@example.com\r\n\r\n*b* [a](https://evil.example) \u202e\x1b[2J"}'


def notice(**changes: Any) -> Notice:
    """A breach that pages, with everything that a notice can have."""
    ordinary = Notice(
        notice_id="nt_1",
        incident_id="win_7",
        kind="breach",
        page=True,
        at=datetime(2026, 11, 27, 9, 5, 30, tzinfo=UTC),
        due_at=datetime(2026, 11, 27, 9, 5, tzinfo=UTC),
        zone="Europe/Berlin",
        promise="first response",
        recipient=Recipient("manager", "Mia Winter", "mia@acme.example"),
        buyer=Buyer("Jo Doe", "Initech", "jo@initech.example", "+49 30 123456"),
        rep="Ann Lee",
        why_rep="It was her turn in the pool enterprise.",
        wrote="Can we talk today?\nWe decide on Monday.",
        read=("Pricing", "ROI sheet"),
        score=82,
        reasons=("asked for a demo", "decision maker"),
        links=(
            Link("Acknowledge", "https://baton.example/a/ack?t=abc&x=1"),
            Link("Open the lead", "https://baton.example/l/1"),
        ),
    )
    return replace(ordinary, **changes)


def hostile(text: str = HOSTILE, **changes: Any) -> Notice:
    """A notice with this text wherever someone outside may write."""
    given = {
        "promise": text,
        "recipient": Recipient("manager", text, "mia@acme.example"),
        "buyer": Buyer(text, text, text, text),
        "rep": text,
        "why_rep": text,
        "wrote": text,
        "read": (text,) * 20,
        "reasons": (text,) * 20,
        "by": text,
    }
    return notice(**{**given, **changes})

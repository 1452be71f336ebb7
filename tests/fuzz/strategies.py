"""What hostile senders send: Hypothesis strategies for texts, JSON, forms, calendars, agreements, headers, records."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote_from_bytes

from hypothesis import strategies as st

from shared.domain.events import TYPES
from tests.fuzz.growth import UNITS
from tests.fuzz.targets import AGREEMENT, BOUNDARY, GOOGLE_KEY

_ODD = (
    "", " ", "\0", "\x1b[31m", "\u202e", "\ud7ff", "\uffff", "null", "NaN", "-0", "1e999", "9" * 400, "0x10", "../..",
    "%00", "%", "=?utf-8?q?=00?=", "<script>", "'; --", "{{7*7}}", "jo@example.com", "a@b", "+32 470 12 34 56",
    "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "9999-12-31T23:59:59Z", "2026-02-30", "-1", "1.5",
    "99999999999999999999.x", "9223372036854775807.x", "253402300799999999.x", "undefined", "utf-7", "idna", "punycode",
    "Mon, 20 Nov 9999999999 12:00:00 +0000", "Mon, 20 Nov 2026 12:00:00 +9999", "FREQ=SECONDLY", "P9999999999D",
)  # fmt: skip
_LONG = [unit.decode("latin-1") * (4096 // len(unit)) for unit in UNITS]

texts: st.SearchStrategy[str] = st.one_of(
    st.sampled_from(_ODD), st.sampled_from(_LONG), st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
)
numbers = st.one_of(st.integers(), st.sampled_from([0, -1, 2**31, 2**53, 2**63, 2**64, 10**30]), st.floats())
scalars = st.one_of(st.none(), st.booleans(), numbers, texts)
values: st.SearchStrategy[Any] = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4), max_leaves=10
)


def _objects(fields: tuple[str, ...], inner: st.SearchStrategy[Any] = values) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(st.sampled_from(fields) | texts, inner, max_size=6)


def _mostly(usual: Any, odd: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(st.just(usual), st.just(usual), odd)


_contact = st.fixed_dictionaries(
    {"email": _mostly("jo@example.com", scalars)},
    optional=dict.fromkeys(("phone", "first_name", "country", "seniority", "language", "job_title"), scalars),
)
_company = _objects(("name", "domain", "industry", "employees", "country"), scalars)
_at = st.fixed_dictionaries({"at": _mostly("2026-11-23T09:00:00Z", texts), "kind": texts})
leads = st.fixed_dictionaries(
    {"contact": _mostly({"email": "jo@example.com"}, _contact | values)},
    optional={
        "company": _company | values,
        "custom": _objects(("budget", "contact.email", "@at")) | values,
        "consent": _objects(("basis", "text", "given_at")) | values,
        "signals": st.lists(_at, max_size=3) | values,
        "touches": st.lists(_at, max_size=3) | values,
        "occurred_at": texts | values,
        **dict.fromkeys(("external_id", "kind", "source", "channel", "campaign", "message", "page_url"), scalars),
    },
)
activities = st.fixed_dictionaries(
    {"kind": _mostly("call", texts), "email": _mostly("jo@example.com", scalars)},
    optional=dict.fromkeys(("activity_id", "occurred_at", "by", "text", "reason", "stage", "amount"), scalars),
)
google = st.fixed_dictionaries(
    {
        "google_key": _mostly(GOOGLE_KEY, scalars),
        "user_column_data": _mostly(
            [{"column_id": "EMAIL", "string_value": "jo@example.com"}],
            st.lists(_objects(("column_id", "string_value", "column_name")), max_size=5) | values,
        ),
    },
    optional=dict.fromkeys(("lead_id", "lead_submit_time", "campaign_id", "form_id", "is_test"), scalars),
)


def _as_json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode(errors="surrogatepass")


def _broken(whole: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    """Now and then with some bytes cut out or put in."""
    cut = st.tuples(whole, st.integers(0, 400), st.integers(0, 40), st.binary(max_size=8) | st.sampled_from(UNITS))
    return st.one_of(whole, whole, cut.map(lambda c: c[0][: c[1]] + c[3] + c[0][c[1] + c[2] :]))


def _json(value: st.SearchStrategy[Any]) -> st.SearchStrategy[bytes]:
    return _broken((value | st.lists(value, max_size=3)).map(_as_json)) | values.map(_as_json)


_form_names = st.sampled_from(
    [
        "email",
        "phone",
        "name",
        "company",
        "domain",
        "employees",
        "message",
        "consent",
        "_charset_",
        "_next",
        "submission_id",
    ]
)
_pairs = st.lists(st.tuples(_form_names.map(str.encode) | st.binary(max_size=9), texts.map(str.encode)), max_size=8)


def _urlencoded(pairs: list[tuple[bytes, bytes]]) -> bytes:
    return b"&".join(b"=".join(quote_from_bytes(part).encode() for part in pair) for pair in pairs)


def _multipart(pairs: list[tuple[bytes, bytes]]) -> bytes:
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="'.encode()
    parts = b"".join(head + name + b'"\r\n\r\n' + value + b"\r\n" for name, value in pairs)
    return parts + f"--{BOUNDARY}--\r\n".encode()


def _lines(*starts: str) -> st.SearchStrategy[bytes]:
    line = st.tuples(st.sampled_from(starts), st.sampled_from(["", ":", ";VALUE=DATE:", ";TZID="]), texts).map("".join)
    return st.lists(line, max_size=8).map(lambda lines: "\r\n".join(lines).encode())


_event_lines = _lines("DTSTART", "DTEND", "DURATION", "SUMMARY", "RRULE", "TRANSP", "STATUS", "EXDATE", "BEGIN", "END")
calendars = _broken(
    _event_lines.map(
        lambda lines: (
            b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nDTSTART:20261123T090000Z\r\n"
            + lines
            + b"\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
        )
    )
)
_agreement = Path(AGREEMENT).read_text().splitlines()


@st.composite
def agreements(draw: st.DrawFn) -> bytes:
    """A whole agreement with a few lines left out, repeated, or with another value."""
    lines = list(_agreement)
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(lines) - 1))
        what = draw(st.sampled_from(["drop", "repeat", "value", "indent"]))
        name = lines[at].partition(":")[0]
        value = draw(texts.filter(lambda text: len(text) < 500))
        changed = {"drop": [], "repeat": [lines[at]] * 2, "value": [f"{name}: {value}"], "indent": ["  " + lines[at]]}
        lines[at : at + 1] = changed[what]
    return "\n".join(lines).encode(errors="replace")


inputs: dict[str, st.SearchStrategy[bytes]] = {
    "leads": _json(leads),
    "lines": st.lists(_json(leads), max_size=3).map(b"\n".join),
    "activities": _json(activities),
    "form": _broken(_pairs.map(_urlencoded)),
    "multipart": _broken(_pairs.map(_multipart)),
    "google": _json(google),
    "calendar": calendars,
    "rota": calendars,
    "agreement": agreements(),
}
"""Structured bytes for those targets that have a structure."""


def for_target(name: str) -> st.SearchStrategy[bytes]:
    """Bytes for a target: structured where it has a structure, else texts and any bytes."""
    plain = st.one_of(texts.map(lambda text: text.encode(errors="surrogatepass")), st.binary(max_size=200))
    return inputs.get(name, plain)


record_types = st.sampled_from(sorted(TYPES)).map(str.encode) | st.binary(max_size=10)
"""`ce_type` headers."""

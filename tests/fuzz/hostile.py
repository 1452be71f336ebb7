"""Requests that once stopped a service, or blocked its responses; the tests of whole layouts and the torture run send
them.

All are valid HTTP, and every one is answered below 500 within `WITHIN_S`.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field

WITHIN_S = 10.0
"""How long an answer may take on a busy machine."""
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}
_JSON = {"Content-Type": "application/json"}
_BROKEN_CALENDAR = b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nDTSTART:20261123  - a\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"


@dataclass(frozen=True)
class Attempt:
    """A request of a stranger, or with `key` of someone who has one."""

    path: str
    body: bytes = b""
    method: str = "POST"
    headers: dict[str, str] = field(default_factory=dict)
    key: bool = False


def attempts(form: str, google: str, rep: str) -> Iterator[Attempt]:
    """All requests. `form` is the path of a form, with its token if it has one; `google` the path of a lead form of
    Google Ads; `rep` is someone who may be put on hold."""
    yield from _forms(form)
    yield from _bodies(google)
    yield from _calendars(rep)
    yield from _questions()


def _forms(path: str) -> Iterator[Attempt]:
    for number in range(30):
        company = "Acme" + " nv" * 1200
        body = f"email=hostile-{number}@example.com&submission_id=hostile-{number}&company={company}"
        yield Attempt(path, body.encode(), headers=_FORM)
    yield Attempt(path, b"a=" + b"\x01" * 262_142, headers=_FORM)
    yield Attempt(path, b"&".join(b"a=%01" + b"\x01" * 15_000 for _ in range(17)), headers=_FORM)
    for charset in ("undefined", "idna", "punycode", "unicode_escape", "utf-7", "rot13", "\x01"):
        yield Attempt(path, b"email=%FF%FE&_charset_=" + charset.encode(), headers=_FORM)
    yield Attempt(path, b"email=jo@example.com", headers={"Content-Type": ";" * 30_000})
    open_part = b'--b\r\nContent-Disposition: form-data; name="' + b"a" * 100_000
    yield Attempt(path, open_part, headers={"Content-Type": "multipart/form-data; boundary=b"})


def _bodies(google: str) -> Iterator[Attempt]:
    for body in (b'"' + b'\\"' * 30_000, b'"' + b'\\"' * 130_000, b"[" * 200_000, b'{"a":' * 40_000, b"-" * 200_000):
        yield Attempt(google, body, headers=_JSON)
        yield Attempt("/v1/leads", body, headers=_JSON, key=True)
        yield Attempt("/v1/activities", body, headers=_JSON, key=True)
    at = "9999-12-31T23:59:59Z"
    lead = {"contact": {"email": "hostile@example.com"}, "signals": [{"kind": "visit", "at": at}], "occurred_at": at}
    yield Attempt("/v1/leads", json.dumps(lead).encode(), headers=_JSON, key=True)
    reason = {"kind": "rejected", "email": "hostile-0@example.com", "reason": "x" * 9000}
    yield Attempt("/v1/activities", json.dumps(reason).encode(), headers=_JSON, key=True)


def _calendars(rep: str) -> Iterator[Attempt]:
    for until in ("9999-12-31T23:59:59Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"):
        body = json.dumps({"state": "hold", "until": until}).encode()
        yield Attempt(f"/v1/reps/{rep}/availability", body, "PUT", _JSON, key=True)
    body = json.dumps({"days": [{"from": "9999-12-30", "to": "9999-12-31"}]}).encode()
    yield Attempt(f"/v1/reps/{rep}/leave", body, "PUT", _JSON, key=True)
    yield Attempt(f"/v1/reps/{rep}/leave", _BROKEN_CALENDAR, "PUT", {"Content-Type": "text/calendar"}, key=True)


def _questions() -> Iterator[Attempt]:
    for cursor in ("99999999999999999999.x", "-1.x", "9" * 4000, ".", "%00", "253402300799999999.x"):
        for path in (
            "/v1/leads",
            "/v1/windows",
            "/v1/escalations",
            "/v1/events",
            "/v1/deliveries",
            "/v1/subscriptions",
        ):
            yield Attempt(f"{path}?cursor={cursor}", method="GET", key=True)
        yield Attempt(f"/v1/leads/x/timeline?cursor={cursor}", method="GET", key=True)
    yield Attempt("/v1/leads", method="GET", headers={"Authorization": "Basic \xff"})
    yield Attempt("/v1/agreement/simulations", b"a: b\n" * 170_000, headers={"Content-Type": "application/yaml"})
    yield Attempt("/v1/agreement/simulations", b"[" * 100_000, headers={"Content-Type": "application/yaml"})

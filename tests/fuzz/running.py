"""Hostile requests to a running Baton, and whether it still does its work afterwards."""

import secrets
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

import httpx
import schemathesis
from hypothesis import given, settings
from hypothesis import strategies as st
from schemathesis.core.result import Ok

from tests.fuzz.growth import UNITS
from tests.fuzz.hostile import WITHIN_S, Attempt, attempts
from tests.fuzz.strategies import inputs, texts
from tests.fuzz.targets import BOUNDARY
from tests.fuzz.wire import exchange
from tests.journeys.processes import Running
from tests.kit.layouts import lead

NOT_IMPLEMENTED = 501
OPEN_FORM = "/v1/sources/open"
GOOGLE = "/v1/sources/google"
SIMULATIONS = "/v1/agreement/simulations"
SIMULATED_WITHIN_S = 60.0
"""A simulation starts a process of low priority, which can be slow on a busy machine."""

_header = texts.map(lambda text: text.encode(errors="replace").decode("latin-1")[:2000])
_odd_headers = st.dictionaries(
    st.sampled_from(
        ["Idempotency-Key", "Authorization", "Content-Type", "Content-Encoding", "Origin", "Accept", "Forwarded",
         "X-Forwarded-For", "Cookie", "Range", "If-None-Match", "Last-Event-ID", "Transfer-Encoding", "Expect"]
    ),
    _header,
    max_size=2,
)  # fmt: skip
_endpoints = st.sampled_from(
    [
        ("/v1/leads", "application/json", "leads", True),
        ("/v1/leads", "application/x-ndjson", "lines", True),
        ("/v1/activities", "application/json", "activities", True),
        (OPEN_FORM, "application/x-www-form-urlencoded", "form", False),
        (OPEN_FORM, f"multipart/form-data; boundary={BOUNDARY}", "multipart", False),
        (GOOGLE, "application/json", "google", False),
        ("/v1/reps/bob/leave", "text/calendar", "calendar", True),
        (SIMULATIONS, "application/yaml", "agreement", False),
    ]
)
_pages = st.sampled_from(
    ["/", "/panels", "/leads/{}", "/leads/{}/why", "/leads/{}/panels", "/parked", "/parked?queue={}",
     "/parked?after={}", "/rejected?reason={}", "/rejected?clause={}", "/rejected?after={}", "/agreement",
     "/agreement/diff?from={}&to={}", "/static/{}/live.js", "/{}", "/openapi.json?{}"]
)  # fmt: skip
_long = st.sampled_from(UNITS).map(lambda unit: unit.decode("latin-1") * 100)


@dataclass(frozen=True)
class Answer:
    """The status (0 when the connection was closed without one), and how long it took."""

    status: int
    took_s: float


def send(baton: Running, attempt: Attempt) -> Answer:
    """Send the request on a connection of its own. Raises TimeoutError."""
    headers = {name.encode("latin-1"): value.encode("latin-1") for name, value in attempt.headers.items()}
    if attempt.key:
        headers[b"Authorization"] = baton.headers["Authorization"].encode()
    began = time.monotonic()
    target = quote(attempt.path, safe="/?=&%").encode()
    port = urlsplit(baton.url).port or 0
    within_s = 2 * SIMULATED_WITHIN_S
    status = exchange(port, attempt.method.encode(), target, headers, attempt.body, within_s=within_s)
    return Answer(status, time.monotonic() - began)


def refuse(baton: Running, attempt: Attempt) -> None:
    """Send the request; it must be answered below 500, in time, and end nothing."""
    answer = send(baton, attempt)
    summary = f"{attempt.method} {attempt.path[:80]} {attempt.headers} {attempt.body[:80]!r}: {answer}"
    # 501 is what HTTP answers to an unknown Transfer-Encoding, as the reverse proxy does.
    assert answer.status < 500 or answer.status == NOT_IMPLEMENTED, summary
    assert answer.took_s < (SIMULATED_WITHIN_S if attempt.path == SIMULATIONS else WITHIN_S), summary
    assert baton.process.poll() is None, summary


def still_works(baton: Running, *, within_s: float = 60) -> None:
    """A good lead is assigned, and Baton reports ready. Raises AssertionError."""
    email, end = f"good-{secrets.token_hex(6)}@example.com", time.monotonic() + within_s
    with httpx.Client(base_url=baton.url, headers=baton.headers, timeout=20) as client:
        posted = client.post("/v1/leads", json=lead(email))
        assert posted.status_code == 202, posted.text
        found: object = None
        while time.monotonic() < end and found != ["assigned"]:
            time.sleep(0.1)
            answer = client.get("/v1/leads", params={"email": email})
            found = [each["state"] for each in answer.json()["items"]] if answer.status_code == 200 else answer.text
        assert found == ["assigned"], f"the lead of {email} has no owner: {found}"
        while (ready := client.get("/readyz")).status_code != 200:
            assert time.monotonic() < end, ready.text
            time.sleep(0.1)
    assert baton.process.poll() is None


def repeat_the_known(baton: Running) -> None:
    """Everything that once stopped Baton."""
    for attempt in attempts(OPEN_FORM, GOOGLE, "bob"):
        refuse(baton, attempt)
    still_works(baton)


def post_anything(baton: Running, how: settings) -> None:
    """Any body and header to every endpoint that reads one."""

    @how
    @given(_endpoints, _odd_headers, st.data())
    def posted(endpoint: tuple[str, str, str, bool], odd: dict[str, str], data: st.DataObject) -> None:
        path, media, kind, key = endpoint
        method = "PUT" if path.startswith("/v1/reps") else "POST"
        refuse(baton, Attempt(path, data.draw(inputs[kind]), method, {"Content-Type": media, **odd}, key))

    posted()
    still_works(baton)


def ask_anything(baton: Running, how: settings) -> None:
    """Any text in the paths and queries of the pages."""

    @how
    @given(_pages, texts | _long, _odd_headers)
    def asked(page: str, text: str, odd: dict[str, str]) -> None:
        safe = "".join(character for character in text if character not in "\r\n #?&")
        refuse(baton, Attempt(page.format(*[safe[:2000]] * 2), method="GET", headers=odd, key=True))

    asked()
    still_works(baton)


def call_anything(baton: Running, how: settings) -> None:
    """Any parameters and bodies for each operation of the OpenAPI document."""
    schema = schemathesis.openapi.from_url(f"{baton.url}/openapi.json")
    for each in schema.get_all_operations():
        assert isinstance(each, Ok), each
        operation = each.ok()

        @how
        @given(operation.as_strategy(), texts)
        def called(case: schemathesis.Case[Any], text: str) -> None:
            if isinstance(case.body, dict) and "url" in case.body:
                case.body["url"] = "http://127.0.0.1:9/nobody"  # traffic stays on this machine
            if "cursor" in case.query:
                case.query["cursor"] = text
            answer = case.call(headers=baton.headers)
            assert answer.status_code < 500, f"{case.as_curl_command()}: {answer.status_code} {answer.text}"

        called()
    still_works(baton)

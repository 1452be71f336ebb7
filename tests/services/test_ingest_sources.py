"""Forms and Google Ads on a real port: who is let in, what becomes of the payload, and what the sender gets."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from shared.domain.events import INQUIRIES, QUARANTINE, InquiryReceived, RecordQuarantined
from tests.kit.waiting import until
from tests.services.ingest_kit import FORM_TOKEN, GOOGLE_KEY, KEY, Running, running

FORM = f"/v1/sources/website?token={FORM_TOKEN}"
FIELDS = {
    "E-Mail": "Jo@Example.com", "tel": "0470 12 34 56", "country": "BE", "name": "Jo Peeters", "company": "Example NV",
    "employees": "120", "message": "Grüße & more", "utm_campaign": "q4", "utm_source": "google", "newsletter": "on",
    "_next": "https://acme.example/merci",
}  # fmt: skip


async def _inquiry(ingest: Running) -> InquiryReceived:
    [received] = await ingest.events(INQUIRIES, 1)
    assert isinstance(received.event, InquiryReceived)
    return received.event


async def _quarantined(ingest: Running) -> RecordQuarantined:
    [received] = await ingest.events(QUARANTINE, 1)
    assert isinstance(received.event, RecordQuarantined)
    return received.event


@pytest.mark.parametrize("kind", ["urlencoded", "multipart"])
async def test_a_form_becomes_an_inquiry_and_leads_to_its_thank_you_page(tmp_path: Path, kind: str) -> None:
    async with running(tmp_path) as ingest:
        sent: dict[str, Any] = {"data": FIELDS}
        if kind == "multipart":
            sent = {"files": [(name, (None, value)) for name, value in FIELDS.items()]}
        answer = await ingest.client.post(FORM, **sent)
        event = await _inquiry(ingest)
    assert (answer.status_code, answer.headers["location"]) == (303, "https://acme.example/merci")
    assert event.contact.email == "jo@example.com"
    assert event.contact.phone == "+32470123456"
    assert (event.contact.first_name, event.contact.last_name) == ("Jo", "Peeters")
    assert (event.company.name, event.company.employees) == ("Example NV", 120)
    assert (event.kind, event.source, event.campaign, event.message) == (
        "demo_request",
        "website",
        "q4",
        "Grüße & more",
    )
    assert event.consent is not None
    assert (event.consent.basis, event.consent.text) == ("opt_in", "You may write to me")
    assert event.custom == {"utm_campaign": "q4", "utm_source": "google"}


@pytest.mark.parametrize("kind", ["urlencoded", "multipart"])
async def test_a_double_click_is_one_inquiry(tmp_path: Path, kind: str) -> None:
    async with running(tmp_path) as ingest:
        sent: dict[str, Any] = (
            {"data": FIELDS} if kind == "urlencoded" else {"files": {"email": (None, "jo@example.com")}}
        )
        answers = [
            (await ingest.client.post(FORM, headers={"Accept": "application/json"}, **sent)).json() for _ in range(2)
        ]
    first, second = (answer["results"][0] for answer in answers)
    assert (first["status"], second["status"]) == ("accepted", "duplicate")
    assert first["inquiry_id"] == second["inquiry_id"]


async def test_an_unticked_box_is_no_consent(tmp_path: Path) -> None:
    async with running(tmp_path) as ingest:
        await ingest.client.post(FORM, data={"email": "jo@example.com"})
        event = await _inquiry(ingest)
    assert event.consent is None


@pytest.mark.parametrize("value", ["on", "True", "1", " YES "])
async def test_a_ticked_box_is_consent(tmp_path: Path, value: str) -> None:
    async with running(tmp_path) as ingest:
        await ingest.client.post(FORM, data={"email": "jo@example.com", "newsletter": value})
        event = await _inquiry(ingest)
    assert event.consent is not None
    assert "newsletter" not in event.custom


@pytest.mark.parametrize("value", ["nein", "non", "null", "undefined", "No thanks", "0", "ja", ""])
async def test_any_other_answer_is_no_consent_and_stored_as_given(tmp_path: Path, value: str) -> None:
    async with running(tmp_path) as ingest:
        await ingest.client.post(FORM, data={"email": "jo@example.com", "newsletter": value})
        event = await _inquiry(ingest)
    assert event.consent is None
    assert event.custom["newsletter"] == value


async def test_a_page_that_is_not_listed_is_never_redirected_to(tmp_path: Path) -> None:
    async with running(tmp_path) as ingest:
        answer = await ingest.client.post(FORM, data={"email": "jo@example.com", "_next": "https://evil.example/"})
    assert answer.headers["location"] == "https://acme.example/thanks"


async def test_a_script_of_a_listed_page_may_post_and_read_the_answer(tmp_path: Path) -> None:
    page = {"Origin": "https://acme.example"}
    async with running(tmp_path) as ingest:
        asked = await ingest.client.options(FORM, headers={**page, "Access-Control-Request-Method": "POST"})
        answer = await ingest.client.post(
            FORM, data={"email": "a@b.be"}, headers={**page, "Accept": "application/json"}
        )
        stranger = await ingest.client.post(FORM, data={"email": "a@b.be"}, headers={"Origin": "https://evil.example"})
        hidden = await ingest.client.post(FORM, data={"email": "a@b.be"}, headers={"Origin": "null"})
    assert (asked.status_code, asked.headers["access-control-allow-origin"]) == (204, "https://acme.example")
    assert asked.headers["access-control-allow-methods"] == "POST"
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == "https://acme.example"
    assert (stranger.status_code, hidden.status_code) == (403, 303)
    assert "access-control-allow-origin" not in stranger.headers


async def test_a_form_with_a_filled_honeypot_is_quarantined(tmp_path: Path) -> None:
    async with running(tmp_path) as ingest:
        answer = await ingest.client.post(FORM, data={"email": "jo@example.com", "nickname": "x"})
        event = await _quarantined(ingest)
    assert answer.status_code == 303
    assert (event.code, event.origin, event.lead_id) == ("honeypot", "source:website", "website")


async def test_a_form_without_an_address_or_a_number_is_quarantined(tmp_path: Path) -> None:
    async with running(tmp_path) as ingest:
        answer = await ingest.client.post("/v1/sources/open", data={"email": "none", "message": "hello"})
        event = await _quarantined(ingest)
    assert answer.status_code == 200
    assert event.code == "not_a_lead"
    assert b"hello" in event.body


@pytest.mark.parametrize(
    ("path", "sent", "status", "detail"),
    [
        ("/v1/sources/website", {"data": FIELDS}, 403, "token"),
        ("/v1/sources/website?token=wrong", {"data": FIELDS}, 403, "token"),
        (FORM, {"json": {"email": "jo@example.com"}}, 415, "x-www-form-urlencoded"),
        (FORM, {"files": {"cv": ("cv.pdf", b"%PDF", "application/pdf")}}, 422, "Files"),
        (
            FORM,
            {"content": b"--x\r\nrubbish", "headers": {"Content-Type": "multipart/form-data; boundary=x"}},
            400,
            "multipart",
        ),
        (FORM, {"content": b"x", "headers": {"Content-Type": "multipart/form-data"}}, 400, "boundary"),
        (FORM, {"data": {f"f{n}": "1" for n in range(501)}}, 400, "500 fields"),
        (FORM, {"data": {"message": "x" * 300_000}}, 413, "256 KiB"),
    ],
)
async def test_what_is_no_form_of_ours_is_refused_and_not_stored(
    tmp_path: Path, path: str, sent: dict[str, Any], status: int, detail: str
) -> None:
    async with running(tmp_path) as ingest:
        answer = await ingest.client.post(path, **sent)
        await ingest.client.post("/v1/sources/open", data={"email": "last@example.com"})
        event = await _inquiry(ingest)
    assert answer.status_code == status, answer.text
    assert detail in answer.json()["detail"]
    assert event.contact.email == "last@example.com"


async def test_getting_a_form_makes_no_lead(tmp_path: Path) -> None:
    async with running(tmp_path) as ingest:
        answer = await ingest.client.get(FORM + "&email=jo@example.com")
    assert answer.status_code == 405
    assert "POST" in answer.headers["allow"]


async def test_an_empty_file_field_is_no_file(tmp_path: Path) -> None:
    body = (
        b'--x\r\nContent-Disposition: form-data; name="email"\r\n\r\njo@example.com\r\n'
        b'--x\r\nContent-Disposition: form-data; name="cv"; filename=""\r\nContent-Type: a/b\r\n\r\n\r\n'
        b"--x--\r\n"
    )
    async with running(tmp_path) as ingest:
        headers = {"Content-Type": "multipart/form-data; boundary=x"}
        answer = await ingest.client.post(FORM, content=body, headers=headers)
    assert answer.status_code == 303, answer.text


GOOGLE: dict[str, Any] = {
    "lead_id": "TeSter-123-ABC", "api_version": "1.0", "form_id": 40000000000, "campaign_id": 9007199254740993,
    "google_key": GOOGLE_KEY, "gcl_id": "Tg-1", "adgroup_id": 0, "lead_submit_time": "2026-11-21T09:30:00Z",
    "user_column_data": [
        {"column_name": "Full Name", "string_value": "Jo van Peeters", "column_id": "FULL_NAME"},
        {"column_name": "", "string_value": "jo@example.com", "column_id": "EMAIL"},
        {"column_name": "", "string_value": "+32470123456", "column_id": "PHONE_NUMBER"},
        {"column_name": "Which?", "string_value": "Both", "column_id": "which_product"},
    ],
}  # fmt: skip
URL = "/v1/sources/google"


async def test_a_google_lead_becomes_an_inquiry_with_its_ids_as_text(tmp_path: Path) -> None:
    async with running(tmp_path) as ingest:
        answer = await ingest.client.post(URL, json=GOOGLE)
        again = await ingest.client.post(URL, json={**GOOGLE, "api_version": "1.1"})
        event = await _inquiry(ingest)
    assert (answer.status_code, answer.content) == (200, b"{}")
    assert again.status_code == 200
    assert (event.contact.email, event.contact.phone) == ("jo@example.com", "+32470123456")
    assert (event.contact.first_name, event.contact.last_name) == ("Jo", "van Peeters")
    assert (event.external_id, event.campaign, event.channel) == ("TeSter-123-ABC", "q4", "paid_search")
    assert event.custom["google.campaign_id"] == "9007199254740993"
    assert event.custom["which_product"] == "Both"
    assert "google.adgroup_id" not in event.custom
    assert GOOGLE_KEY not in repr(event)


async def test_every_click_on_googles_test_button_is_a_test_of_its_own(tmp_path: Path) -> None:
    async with running(tmp_path) as ingest:
        for _ in range(2):
            await ingest.client.post(URL, json={**GOOGLE, "is_test": True})
        events = [received.event for received in await ingest.events(INQUIRIES, 2)]
    assert all(isinstance(event, InquiryReceived) and event.test for event in events)
    assert len({event.inquiry_id for event in events if isinstance(event, InquiryReceived)}) == 2


@pytest.mark.parametrize("name", ["Google_key", "google_key", "GOOGLE_KEY"])
async def test_the_key_counts_however_it_is_spelled_and_so_does_the_one_before(tmp_path: Path, name: str) -> None:
    body = {key: value for key, value in GOOGLE.items() if key != "google_key"}
    async with running(tmp_path) as ingest:
        answer = await ingest.client.post(URL, json={**body, name: GOOGLE_KEY + "-before"})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b'{"google_key": "wrong"}', 403),
        (b"{}", 403),
        (b'{"google_key": 5}', 403),
        (b'{"google_key": "a-key-entered-at-google", "Google_key": "a-key-entered-at-google"}', 403),
        (b"[]", 422),
        (b"{", 400),
        (b'{"google_key": "a-key-entered-at-google", "google_key": "wrong"}', 400),
    ],
)
async def test_a_wrong_google_key_is_reported_to_the_advertiser_and_nothing_is_stored(
    tmp_path: Path, content: bytes, status: int
) -> None:
    async with running(tmp_path) as ingest:
        answer = await ingest.client.post(URL, content=content, headers={"Content-Type": "application/json"})
        await ingest.client.post(URL, json=GOOGLE)
        event = await _inquiry(ingest)
    assert answer.status_code == status
    assert list(answer.json()) == ["message"]
    assert event.external_id == "TeSter-123-ABC"


async def test_an_authentic_payload_that_does_not_map_is_quarantined_without_the_key(tmp_path: Path) -> None:
    async with running(tmp_path) as ingest:
        answer = await ingest.client.post(URL, json={"google_key": GOOGLE_KEY, "lead_id": "x", "new": "shape"})
        event = await _quarantined(ingest)
    assert (answer.status_code, answer.content) == (200, b"{}")
    assert (event.code, event.service, event.record_type) == ("no_columns", "ingest", InquiryReceived.TYPE)
    assert b"shape" in event.body
    assert GOOGLE_KEY.encode() not in event.body
    assert event.inquiry_id is not None


HOSTILE: list[tuple[str, dict[str, Any]]] = [
    ("/v1/sources/open", {"content": b"_charset_=undefined&name=%ff"}),
    ("/v1/sources/open", {"content": b"a=" + b"\x01" * 262_142}),
    ("/v1/sources/open", {"content": b"&".join(b"f%d=" % n + b"\x01" * 16_000 for n in range(16))}),
    ("/v1/sources/open", {"content": b"email=" + b"a" * 200_000 + b"@example.com"}),
    ("/v1/sources/open", {"content": b"%=%zz&=&&==&%00=%ff&=a"}),
    ("/v1/sources/open", {"headers": {"Content-Type": 'multipart/form-data; boundary="' + "b" * 5000 + '"'}}),
    ("/v1/sources/open", {"headers": {"Content-Type": "multipart/form-data; boundary=\u00e9"}, "content": b"--x"}),
    ("/v1/sources/open", {"headers": {"Content-Type": "multipart/form-data; boundary=x", "Content-Length": "3"},
                          "content": b"--x"}),
    ("/v1/sources/open?token=%ff%00%zz&&=", {"content": b"a=b"}),
    ("/v1/sources/%1b%5b31m%00", {"content": b"a=b"}),
    ("/v1/sources/google", {"content": b'"' + b'\\"' * 30_000}),
    ("/v1/sources/google", {"content": b"[" * 200_000}),
    ("/v1/sources/google", {"content": b'{"google_key": "' + GOOGLE_KEY.encode() + b'", "form_id": ' + b"9" * 4_000
                            + b', "lead_id": 1e999999, "user_column_data": [{"column_id": {"a": []}}]}'}),
    ("/v1/sources/google", {"content": b'{"google_key": "' + GOOGLE_KEY.encode() + b'", "lead_submit_time": '
                            b'"9999-12-31T23:59:59-23:59", "user_column_data": [1, null, {"column_id": "EMAIL", '
                            b'"string_value": "a@b.example"}]}'}),
    ("/v1/leads", {"content": b'{"contact": {"email": "a@b.example"}, "custom": {"n": ' + b"1" * 400 + b"}}"}),
    ("/v1/leads", {"content": b'{"contact": {"email": "a@b.example"}, "custom": {"n": 1e999999}}'}),
    ("/v1/leads", {"content": b'{"contact": {"email": "\\ud800@b.example"}}'}),
    ("/v1/leads", {"content": b"\x1f\x8b\x08", "headers": {"Content-Encoding": "gzip"}}),
    ("/v1/leads", {"content": b'{"contact": {"email": "a@b.example"}}', "headers": {"Idempotency-Key": b"\xff\t'"}}),
    ("/v1/leads", {"content": b'{"contact": {"email": "a@b.example"}}', "headers": {"Content-Type": "\u00e9;;=\""}}),
]  # fmt: skip


@pytest.mark.parametrize(("path", "sent"), HOSTILE, ids=map(str, range(len(HOSTILE))))
async def test_nothing_that_a_sender_does_is_answered_as_our_failure_or_holds_up_the_next(
    tmp_path: Path, path: str, sent: dict[str, Any]
) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"} if "open" in path else {}
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json", **form, **sent.get("headers", {})}
    async with running(tmp_path) as ingest:
        raw = {name: value if isinstance(value, bytes) else value.encode("latin-1") for name, value in headers.items()}
        async with asyncio.timeout(60):
            answer = await ingest.client.post(path, content=sent.get("content", b""), headers=raw)
        assert answer.status_code < 500, answer.text
        await ingest.client.post("/v1/sources/open", data={"email": "last@example.com"})
        await until(lambda: "last@example.com" in str([m.value for m in ingest.bus.published]))

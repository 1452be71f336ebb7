"""What each service is sent, held against its own limits and models, and what its answers mean."""

import doctest
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from slack_sdk.models.blocks import Block, HeaderBlock, SectionBlock

from services.delivery.channels import (
    HTTP_CHANNELS,
    alertmanager,
    json_template,
    opsgenie,
    pagerduty,
    slack,
    teams,
)
from services.delivery.channels.credentials import Credentials
from services.delivery.channels.http_client import Request
from services.delivery.domain.notice import Link, Notice, facts, grouped
from services.delivery.domain.outcome import Unsendable
from services.delivery.domain.retry import EndpointResponse
from tests.kit.notices import HOSTILE, hostile, notice

URL = "https://hooks.example.com/T0/secret"
CREDENTIALS = Credentials({"url": URL, "routing_key": "R" * 32, "key": "K" * 36}, ("R" * 32,))
WORST = '\U0001f600&<"\\' * 700


def content(request: Request) -> Any:
    return json.loads(request.body)


def answer(status: int | None, body: bytes | object = b"", **more: Any) -> EndpointResponse:
    return EndpointResponse(status, body=body if isinstance(body, bytes) else json.dumps(body).encode(), **more)


def units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def test_the_examples_in_the_module_hold() -> None:
    assert doctest.testmod(slack).failed == 0


@pytest.mark.parametrize("kind", HTTP_CHANNELS)
def test_no_secret_and_no_person_is_in_the_representation_of_a_request(kind: str) -> None:
    shown = repr(HTTP_CHANNELS[kind].request(notice(), CREDENTIALS)) + repr(CREDENTIALS)
    assert not [private for private in (URL, "RRRR", "KKKK", "Jo Doe") if private in shown]


@pytest.mark.parametrize("kind", sorted(set(HTTP_CHANNELS) - {"pagerduty", "opsgenie"}))
def test_a_channel_without_its_address_can_not_send(kind: str) -> None:
    with pytest.raises(Unsendable, match="`url` is missing"):
        HTTP_CHANNELS[kind].request(notice(), Credentials({}, ()))


@pytest.mark.parametrize("kind", HTTP_CHANNELS)
@pytest.mark.parametrize(
    ("status", "state"), [(429, "retry"), (500, "retry"), (503, "retry"), (302, "failed"), (404, "failed")]
)
def test_a_status_means_the_same_everywhere(kind: str, status: int, state: str) -> None:
    made = HTTP_CHANNELS[kind].outcome(answer(status, b"\xff<html>", retry_after_s=30.0))
    why = f"answered {status}" + (": redirects are not followed" if status == 302 else "")
    assert (made.state, made.why) == (state, why)
    assert made.retry_after_s == (30.0 if state == "retry" else None)


@pytest.mark.parametrize("kind", HTTP_CHANNELS)
def test_silence_is_tried_again_and_a_forbidden_address_is_not(kind: str) -> None:
    assert HTTP_CHANNELS[kind].outcome(EndpointResponse(None, "no answer within 15 s")).state == "retry"
    assert HTTP_CHANNELS[kind].outcome(EndpointResponse(None, "not public", forbidden=True)).state == "failed"


def slack_blocks(made: Notice) -> list[Any]:
    """The blocks, after Slack's own models have checked them."""
    sent = content(slack.request(made, CREDENTIALS))["blocks"]
    blocks = Block.parse_all(sent)
    for block in blocks:
        block.validate_json()
    assert [block.to_dict()["type"] for block in blocks] == [block["type"] for block in sent]
    return list(blocks)


@given(st.text())
@example(HOSTILE)
@example(WORST)
def test_slack_is_sent_only_blocks_that_its_limits_allow(text: str) -> None:
    for block in slack_blocks(hostile(text)):
        if isinstance(block, HeaderBlock):
            assert block.text is not None
            assert units(block.text.text) <= 150
        elif isinstance(block, SectionBlock):
            assert block.text is None or units(block.text.text) <= 3000
            assert len(block.fields or []) <= 10
            assert all(units(each.text) <= 2000 for each in block.fields or [])


def test_every_fact_is_shown_in_slack_however_many_there_are() -> None:
    then = datetime(2026, 11, 27, 10, tzinfo=UTC)
    every = notice(pace="so far", campaign="q4", kept_by="call", next_at=then, next_does="ops is paged", owed_by="ops")
    shown = [field["text"].split("*")[1] for b in slack_blocks(every) for field in b.to_dict().get("fields", ())]
    assert len(shown) > 10
    assert shown == [fact.label for fact in facts(every)]


def test_what_a_buyer_wrote_calls_nobody_in_slack_and_makes_no_link() -> None:
    sent = slack.request(hostile(links=()), CREDENTIALS).body.decode()
    assert "<!channel>" not in sent
    assert "&lt;!channel&gt;" in sent
    sections = [block for block in content(slack.request(hostile(), CREDENTIALS))["blocks"] if "text" in block]
    assert all(block["text"].get("verbatim", True) for block in sections)
    [quote] = [block["text"]["text"] for block in sections if "The buyer wrote" in block["text"]["text"]]
    assert all(line.startswith(">") for line in quote.splitlines()[1:])


def test_a_link_in_slack_can_not_be_broken_by_its_address_or_its_name() -> None:
    made = notice(links=(Link("a|b>c", "https://baton.example/?a=1&b=<|>"),))
    assert content(slack.request(made, CREDENTIALS))["blocks"][-1]["text"]["text"] == (
        "<https://baton.example/?a=1&amp;b=%3C%7C%3E|a/b&gt;c>"
    )


STRANGE = "with something that the service never answers"


@pytest.mark.parametrize(
    ("status", "body", "state", "why"),
    [
        (200, b"ok", "taken", "answered 200"),
        (200, {"ok": True, "ts": "1.2"}, "taken", "answered 200"),
        (200, {"ok": False, "error": "channel_not_found"}, "failed", "answered channel_not_found"),
        (200, {"ok": False, "error": "internal_error"}, "retry", "answered internal_error"),
        (200, {"ok": False, "error": "x<script>"}, "retry", f"answered 200 {STRANGE}"),
        (200, b"<html>log in", "retry", f"answered 200 {STRANGE}"),
        (200, b"[" * 5000, "retry", f"answered 200 {STRANGE}"),
        (200, b'{"a":' * 3000, "retry", f"answered 200 {STRANGE}"),
        (403, b"invalid_token", "failed", "answered 403: invalid_token"),
        (404, b"no_service", "failed", "answered 404: no_service"),
        (410, b"channel_is_archived", "failed", "answered 410: channel_is_archived"),
        (500, b"rollup_error", "retry", "answered 500: rollup_error"),
    ],
)
def test_what_slack_answers_is_understood(status: int, body: object, state: str, why: str) -> None:
    made = slack.outcome(answer(status, body))
    assert (made.state, made.why) == (state, why)


@given(st.text())
@example(WORST)
def test_pagerduty_is_sent_only_what_its_limits_allow(text: str) -> None:
    made = pagerduty.request(hostile(text), CREDENTIALS)
    assert units(content(made)["payload"]["summary"]) <= 1024
    assert len(made.body) < 512 * 1024


@pytest.mark.parametrize(
    ("changes", "severity"),
    [({}, "critical"), ({"page": False}, "error"), ({"kind": "warning"}, "warning"), ({"kind": "test"}, "info")],
)
def test_pagerduty_learns_how_serious_it_is(changes: dict[str, Any], severity: str) -> None:
    assert content(pagerduty.request(notice(**changes), CREDENTIALS))["payload"]["severity"] == severity


@pytest.mark.parametrize(
    ("status", "body", "state", "why"),
    [
        (202, {"status": "success", "dedup_key": "win_7"}, "taken", "answered 202"),
        (202, b"<html>", "retry", f"answered 202 {STRANGE}"),
        (200, b"<html>log in", "retry", f"answered 200 {STRANGE}"),
        (400, {"status": "invalid event", "errors": ["no such key\n"]}, "failed", "answered 400: no such key[U+000A]"),
        (400, {"errors": 7}, "failed", "answered 400"),
        (400, b'{"a":' * 3000, "failed", "answered 400"),
    ],
)
def test_what_pagerduty_answers_is_understood(status: int, body: object, state: str, why: str) -> None:
    made = pagerduty.outcome(answer(status, body))
    assert (made.state, made.why) == (state, why)


@given(st.text())
@example(WORST)
@example("\n" * 2000)
@example("\n\U0001f600" * 2000)
def test_a_card_for_teams_is_never_too_large(text: str) -> None:
    links = tuple(Link(text, "https://baton.example/" + "x" * 970) for _ in range(9))
    assert len(teams.request(hostile(text, links=links), CREDENTIALS).body) <= teams.LARGEST_MESSAGE
    several = grouped([hostile(text, links=links)] * 6, 37, notice_id="ms_1", incident_id="ms_1")
    assert len(teams.request(several, CREDENTIALS).body) <= teams.LARGEST_MESSAGE


def test_a_card_for_teams_has_no_more_buttons_in_a_row_than_are_shown() -> None:
    several = grouped([notice()] * 6, 37, notice_id="ms_1", incident_id="ms_1")
    body = content(teams.request(several, CREDENTIALS))["attachments"][0]["content"]["body"]
    assert [len(block["actions"]) for block in body if block["type"] == "ActionSet"] == [6, 6]


def test_no_text_of_a_card_for_teams_is_read_as_markdown() -> None:
    card = content(teams.request(hostile(), CREDENTIALS))["attachments"][0]["content"]
    assert {block["type"] for block in card["body"]} == {"RichTextBlock", "ActionSet"}
    assert {run["type"] for block in card["body"] for run in block.get("inlines", [])} == {"TextRun"}


PAGE = b"<!doctype html><title>Log in</title><p>An error has occurred"
GATEWAY = b"Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 429"


@pytest.mark.parametrize(
    ("kind", "status", "body", "state", "why"),
    [
        ("teams", 202, b"", "taken", "answered 202"),
        ("teams", 202, {"id": "1"}, "taken", "answered 202"),
        ("teams", 202, {"error": {"code": "x"}}, "retry", "answered 202 with an error"),
        ("teams", 200, GATEWAY, "retry", "answered 200 with an error"),
        ("teams", 202, PAGE, "retry", f"answered 202 {STRANGE}"),
        ("teams", 200, PAGE, "retry", f"answered 200 {STRANGE}"),
        ("teams", 200, b"", "retry", f"answered 200 {STRANGE}"),
        ("opsgenie", 202, {"result": "Request will be processed", "requestId": "43a2"}, "taken", "answered 202"),
        ("opsgenie", 202, {"result": "Request will be processed"}, "retry", f"answered 202 {STRANGE}"),
        ("opsgenie", 202, b"", "retry", f"answered 202 {STRANGE}"),
        ("opsgenie", 200, PAGE, "retry", f"answered 200 {STRANGE}"),
        ("alertmanager", 200, b"", "taken", "answered 200"),
        ("alertmanager", 200, {"silenceID": "7"}, "taken", "answered 200"),
        ("alertmanager", 200, {"status": "ok"}, "retry", f"answered 200 {STRANGE}"),
        ("alertmanager", 200, PAGE, "retry", f"answered 200 {STRANGE}"),
        ("alertmanager", 204, b"", "retry", f"answered 204 {STRANGE}"),
    ],
)
def test_only_what_the_service_itself_answers_is_a_success(
    kind: str, status: int, body: object, state: str, why: str
) -> None:
    made = HTTP_CHANNELS[kind].outcome(answer(status, body))
    assert (made.state, made.why, made.unsure) == (state, why, STRANGE in why)


@pytest.mark.parametrize(("kind", "status"), [("teams", 202), ("alertmanager", 200)])
def test_an_answer_that_was_cut_off_is_not_an_empty_one(kind: str, status: int) -> None:
    assert HTTP_CHANNELS[kind].outcome(answer(status, cut_off=True)).state == "retry"


@given(st.text())
@example(WORST)
def test_opsgenie_is_sent_only_what_its_limits_allow(text: str) -> None:
    alert = content(opsgenie.request(hostile(text), CREDENTIALS))
    limits = {"message": 130, "alias": 512, "description": 15_000, "source": 100, "entity": 512}
    assert all(units(alert[name]) <= limit for name, limit in limits.items())
    assert sum(units(name) + units(detail) for name, detail in alert["details"].items()) <= 8_000


def test_opsgenie_is_asked_to_end_the_alert_that_it_was_asked_to_open() -> None:
    urls = [
        opsgenie.request(notice(kind=kind, incident_id="win/7", by="Mia"), Credentials({"key": "K"}, ())).url
        for kind in ("breach", "acknowledged", "closed")
    ]
    assert urls == [
        "https://api.opsgenie.com/v2/alerts",
        "https://api.opsgenie.com/v2/alerts/win%2F7/acknowledge?identifierType=alias",
        "https://api.opsgenie.com/v2/alerts/win%2F7/close?identifierType=alias",
    ]


def test_alertmanager_is_asked_to_end_the_warning_when_the_promise_is_broken() -> None:
    alerts = content(alertmanager.request(notice(page=False), CREDENTIALS))
    assert [(alert["labels"]["alertname"], alert["labels"]["severity"], "startsAt" in alert) for alert in alerts] == [
        ("BatonPromiseDueSoon", "warning", False),
        ("BatonPromiseOverdue", "error", True),
    ]


def test_alertmanager_is_asked_to_end_every_alert_that_it_was_asked_to_fire() -> None:
    """Whatever their notices said: of a group, of a page, of what was not one yet."""

    def alerts(**changes: Any) -> dict[str, bool]:
        """Labels of alerts, and whether they fire."""
        sent = content(alertmanager.request(notice(**changes), CREDENTIALS))
        return {json.dumps(each["labels"]): "startsAt" in each for each in sent}

    about_two = "first response, acceptance"
    fired = {
        labels
        for promise in ("acceptance", about_two)
        for kind, page in (("warning", False), ("breach", False), ("breach", True))
        for labels, fires in alerts(kind=kind, page=page, promise=promise).items()
        if fires
    }
    ended = {labels for labels, fires in alerts(kind="closed", page=False, promise="acceptance").items() if not fires}
    assert fired == ended


def test_a_template_is_filled_without_changing_its_structure() -> None:
    template = json.dumps({"text": "{headline} for {role}", "list": [1, None, "{kind}"], "{role}": True})
    credentials = Credentials({"url": URL, "template": template, "authorization": "Bearer x"}, ())
    made = json_template.request(hostile(kind="test", recipient=notice().recipient), credentials)
    assert content(made) == {
        "text": "Test message from Baton to manager: nothing to do for manager",
        "list": [1, None, "test"],
        "{role}": True,
    }
    assert (b"authorization", b"Bearer x") in made.headers


@given(st.text())
@example(HOSTILE)
def test_a_value_never_becomes_part_of_the_structure_of_a_template(text: str) -> None:
    assert set(content(json_template.request(hostile(text), CREDENTIALS))) == set(json.loads(json_template.TEMPLATE))


@pytest.mark.parametrize(
    ("template", "why"),
    [
        ("{", "not a JSON object"),
        ('{"a":' * 5000, "not a JSON object"),
        ('{"a": "{nonsense}"}', r"has \{nonsense\}. There are: id"),
    ],
)
def test_a_template_that_can_not_be_filled_says_why(template: str, why: str) -> None:
    with pytest.raises(Unsendable, match=why):
        json_template.request(notice(), Credentials({"url": URL, "template": template}, ()))

from pathlib import Path

import pytest

from shared.agreement_file import AgreementRefused, Loaded, formatted, parse
from shared.domain.agreement import Channel

DATA = Path(__file__).parents[3] / "tests" / "data"


@pytest.mark.parametrize(
    "written",
    [
        "slack: {token_from: env:TOKEN, channel_from: env:CHANNEL}",
        "pagerduty: {routing_key_from: env:KEY, url_from: env:URL}",
        "opsgenie: {key_from: env:KEY}",
        "apprise: {url_from: file:/run/secrets/sms}",
        "alertmanager: {url_from: env:URL, authorization_from: env:LOGIN}",
        "webhook: {url_from: env:URL, template_from: file:/etc/baton/notice.json}",
    ],
)
def test_each_channel_takes_what_it_needs_by_reference(written: str) -> None:
    text = (DATA / "agreement_full.yaml").read_text()
    assert "slack: {url_from: file:/run/secrets/slack}" in text
    text = text.replace("slack: {url_from: file:/run/secrets/slack}", written)
    agreement = parse(text, "deal.yaml", {"draft.yaml": (DATA / "draft.yaml").read_text()}).agreement
    assert [each.kind for each in agreement.channels if each.who == "manager"] == [written.partition(":")[0]]


def read(channels: str) -> Loaded:
    text = (DATA / "agreement_full.yaml").read_text()
    written = "  manager: {slack: {url_from: file:/run/secrets/slack}}\n"
    assert written in text
    text = text.replace(written, channels and f"  {channels}\n")
    return parse(text, "deal.yaml", {"draft.yaml": (DATA / "draft.yaml").read_text()})


def refused(channels: str) -> list[str]:
    with pytest.raises(AgreementRefused) as found:
        read(channels)
    return [str(finding) for finding in found.value.findings]


def warnings_of(channels: str, code: str) -> list[str]:
    return [str(warning) for warning in read(channels).warnings if warning.code == code]


def test_a_list_is_an_order_and_a_person_has_channels_by_their_id() -> None:
    agreement = read("ann: [{slack: {url_from: env:ANN}}, {email: {}}, {slack: {url_from: env:TEAM}}]").agreement
    assert [channel for channel in agreement.channels if channel.who == "ann"] == [
        Channel("ann", "slack", {"url_from": "env:ANN"}),
        Channel("ann", "email", {}),
        Channel("ann", "slack", {"url_from": "env:TEAM"}),
    ]


def test_the_hash_follows_the_order_of_a_list_and_formatting_keeps_it() -> None:
    in_order, reversed_ = (
        read(f"ann: {ways}").agreement
        for ways in ("[{email: {}}, {teams: {url_from: env:T}}]", "[{teams: {url_from: env:T}}, {email: {}}]")
    )
    assert in_order.hash != reversed_.hash
    files = {"draft.yaml": (DATA / "draft.yaml").read_text()}
    assert parse(formatted(in_order.text), "deal.yaml", files).agreement.hash == in_order.hash


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("anne: {email: {}}", "86:3: unknown role or person `anne`; did you mean `ann`?"),
        ("ann: [{email: {}}, {email: {}}]", "86:22: `email` is listed twice with the same settings: keep one"),
        (
            "ann: [{email: {}, teams: {url_from: env:T}}]",
            "86:9: one channel for each item, in the order in which they are tried: `[{slack: ...}, {email: {}}]`",
        ),
        ("ann: []", "86:8: `ann` is empty: write at least one"),
        ("ann: https://hooks.example/x", "86:8: `ann` should be a mapping (lines like `key: value`), not `...`"),
        ("ann: [https://x.example]", "86:9: this item should be a mapping (lines like `key: value`), not `...`"),
        ("ann: [{email: [1]}]", "86:17: `email` should be a mapping (lines like `key: value`), not `...`"),
        (
            "ann: [{slack: {}}]",
            "86:17: `slack` needs `url_from`: write where it is kept, like `env:SLACK_URL` or "
            "`file:/run/secrets/slack`",
        ),
        (
            "ann: [{teams: {url_from: 5}}]",
            "86:28: `url_from` does not say where the secret is kept: write where it is kept, like `env:SLACK_URL` or "
            "`file:/run/secrets/slack`",
        ),
    ],
)
def test_what_is_wrong_with_a_channel_is_said_with_its_place(written: str, why: str) -> None:
    assert refused(written) == [why]


def test_several_channels_without_an_order_load_with_a_warning() -> None:
    [warning] = warnings_of("manager: {slack: {url_from: env:S}, email: {}}", "no_order")
    assert warning == "86:3: say which of slack, email comes first by a list: `manager: [{slack: ...}, {email: {}}]`"


def test_a_ladder_that_notifies_a_role_without_a_channel_is_a_warning_with_who_that_is() -> None:
    assert "ladder `response` tells `manager`, who can be mia, but there is no channel: add `manager`" in "".join(
        warnings_of("", "no_channel")
    )
    assert "`manager`" not in "".join(warnings_of("mia: {email: {}}", "no_channel"))


def test_an_email_to_a_role_that_is_nobody_is_a_warning() -> None:
    [warning] = warnings_of("marketing_lead: {email: {}}", "no_address")
    assert warning.startswith("86:3: `email` has no address, since nobody is `marketing_lead`")

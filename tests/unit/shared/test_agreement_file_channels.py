from pathlib import Path

import pytest

from shared.agreement_file import parse

DATA = Path(__file__).parents[3] / "tests" / "data"


@pytest.mark.parametrize(
    "written",
    [
        "slack: {token_from: env:TOKEN, channel_from: env:CHANNEL}",
        "pagerduty: {routing_key_from: env:KEY, url_from: env:URL}",
        "opsgenie: {key_from: env:KEY}",
        "alertmanager: {url_from: env:URL, authorization_from: env:LOGIN}",
        "webhook: {url_from: env:URL, template_from: file:/etc/baton/notice.json}",
    ],
)
def test_each_channel_takes_what_it_needs_by_reference(written: str) -> None:
    text = (DATA / "agreement_full.yaml").read_text()
    assert "slack: {url_from: file:/run/secrets/slack}" in text
    text = text.replace("slack: {url_from: file:/run/secrets/slack}", written)
    agreement = parse(text, "deal.yaml", {"draft.yaml": (DATA / "draft.yaml").read_text()}).agreement
    assert [each.kind for each in agreement.channels if each.role == "manager"] == [written.partition(":")[0]]

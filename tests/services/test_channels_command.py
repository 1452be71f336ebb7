"""`./baton channels test` sends to real receivers, and says truthfully what happened with each channel."""

import asyncio
import json
from pathlib import Path

import pytest

from services.cli import app
from services.cli.channels import Report, send_tests
from shared.domain.errors import Refused
from tests.kit import mail_server as kit
from tests.kit.subscribers import Seen, receiving

EXAMPLE = Path(__file__).parents[2] / "deploy" / "agreement.example.yaml"
CHANNELS = """
channels:
  ops: [{teams: {url_from: env:TEAMS}}, {slack: {url_from: env:SLACK}}, {email: {}}]
  rep: {email: {}}
  sales_lead: {email: {}}
  manager:
    - {pagerduty: {routing_key_from: env:KEY, url_from: env:PAGER}}
    - {teams: {url_from: env:MOVED}}
    - {teams: {url_from: env:PLAIN}}
    - {teams: {url_from: env:LOGIN}}
  mia: [{webhook: {url_from: env:HUNG}}, {webhook: {url_from: env:UNSET}}]
duty:
  ops: {always: mia}
"""


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    file = tmp_path / "agreement.yaml"
    written = EXAMPLE.read_text()
    assert "\nchannels:" not in written
    file.write_text(written + CHANNELS)
    return {"BATON_AGREEMENT": str(file), "BATON_ALLOW_LOOPBACK_ENDPOINTS": "true"}


async def report(environ: dict[str, str], who: str, deadline_s: float = 15) -> Report:
    return await asyncio.to_thread(send_tests, environ, who, deadline_s)


async def test_each_channel_of_the_role_gets_a_message_and_a_line(environ: dict[str, str], tmp_path: Path) -> None:
    async def hang(_seen: Seen) -> int:
        await asyncio.Event().wait()
        return 200

    with kit.mail_server(tmp_path, "tls") as mail:
        environ |= {
            "BATON_DELIVERY_MAIL_SERVER": f"smtps://localhost:{mail.port}",
            "BATON_DELIVERY_MAIL_FROM": "baton@acme.example",
            "BATON_DELIVERY_MAIL_USER": kit.USER,
            "BATON_DELIVERY_MAIL_PASSWORD": kit.PASSWORD,
            "BATON_DELIVERY_MAIL_CA": str(mail.certificate),
        }
        async with receiving((404, {}, b"no such workflow")) as teams, receiving((200, {}, b"ok")) as slack:
            async with receiving() as hung:
                hung.reply = hang
                urls = {"TEAMS": teams.url, "SLACK": slack.url, "HUNG": hung.url}
                found = await report({**environ, **urls}, "ops", deadline_s=3)
            [message] = slack.seen
        [mailed] = mail.mails()
    assert found == Report(
        (
            "ops is mia now.",
            "mia, webhook: NOT sent, would be tried again: no answer within 3 s. Check the address in env:HUNG.",
            "mia, webhook: NOT sent, the next channel would be tried: env:UNSET is not set or empty.",
            "ops, teams: NOT sent, the next channel would be tried: answered 404. Check the address in env:TEAMS.",
            "ops, slack: sent (answered 200)",
            "ops, email: sent (the mail server accepted the message)",
        ),
        all_taken=False,
    )
    assert "Test message from Baton to ops: nothing to do" in json.dumps(json.loads(message.body))
    assert mailed["X-RcptTo"] == "mia@acme.example"


async def test_a_line_says_whether_the_address_or_the_secret_is_to_be_checked(environ: dict[str, str]) -> None:
    page = b"<html><title>Log in"
    async with (
        receiving((400, {}, b'{"errors":["no such key"]}')) as pager,
        receiving((302, {}, b"")) as moved,
        receiving((200, {}, page)) as login,
    ):
        urls = {"PAGER": pager.url, "MOVED": moved.url, "LOGIN": login.url, "PLAIN": "http://teams.example/x"}
        found = await report({**environ, **urls, "KEY": "R" * 32}, "manager")
    next_one, again = "NOT sent, the next channel would be tried", "NOT sent, would be tried again"
    assert found.lines[1:] == (
        f"manager, pagerduty: {next_one}: answered 400: no such key. Check env:KEY.",
        f"manager, teams: {next_one}: answered 302: redirects are not followed. Check the address in env:MOVED.",
        f"manager, teams: {next_one}: Messages are sent over TLS only: start the URL with https://. "
        "Check the address in env:PLAIN.",
        f"manager, teams: {again}: answered 200 with something that the service never answers. "
        "Check the address in env:LOGIN.",
    )


async def test_a_person_is_found_by_address_and_gets_what_would_reach_them(environ: dict[str, str]) -> None:
    found = await report(environ, "ANN@acme.example")
    assert found.lines == (
        "ann is reached as rep.",
        "rep, email: NOT sent, the next channel would be tried: no mail server is configured.",
    )


async def test_an_email_to_a_role_that_is_nobody_now_is_not_sent(environ: dict[str, str]) -> None:
    found = await report(environ, "sales_lead")
    assert found.lines[0] == "sales_lead is nobody now."
    assert "nobody is now" in found.lines[1]
    assert "depends on the lead" in (await report(environ, "rep")).lines[0]


@pytest.mark.parametrize(
    ("who", "why"), [("boss", "Unknown role or person 'boss'"), ("marketing_lead", "no channel for marketing_lead")]
)
async def test_someone_unknown_or_without_a_channel_is_refused(environ: dict[str, str], who: str, why: str) -> None:
    with pytest.raises(Refused, match=why):
        await report(environ, who)


def test_the_exit_code_says_whether_all_were_sent(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert app.run(["channels", "test", "ann"]) == 1
    assert "rep, email: NOT sent" in capsys.readouterr().out
    assert app.run(["channels", "test", "boss"]) == 2
    monkeypatch.setenv("BATON_DELIVERY_MAIL_SERVER", "http://mail.example")
    assert app.run(["channels", "test", "ann"]) == 2
    assert "BATON_DELIVERY_MAIL_SERVER" in capsys.readouterr().err

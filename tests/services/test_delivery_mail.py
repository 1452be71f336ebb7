"""Mails to a real SMTP server in a process of its own, over TLS and STARTTLS, and to servers that misbehave."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from services.delivery.channels.connecting import resolve
from services.delivery.channels.mail import Mailer, MailServer, mail_server, message
from services.delivery.domain.outcome import Outcome
from tests.kit import mail_server as kit
from tests.kit.listening import stop_accepting
from tests.kit.mail_server import PASSWORD, USER, MailPeer
from tests.kit.notices import hostile, notice

pytestmark = pytest.mark.xdist_group("mail")  # they share what takes seconds to start

SENDER = "baton@acme.example"
TO = "mia@acme.example"


@pytest.fixture(scope="module", params=["starttls", "tls"])
def peer(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, MailPeer]]:
    with kit.mail_server(tmp_path_factory.mktemp("mail"), request.param) as running:
        scheme = {"starttls": "smtp", "tls": "smtps"}[request.param]
        yield scheme, running


def mailer(server: MailServer, trusted: Path | None = None, *, loopback: bool = True, deadline_s: float = 30) -> Mailer:
    tls = ssl.create_default_context(cafile=str(trusted) if trusted else None)
    return Mailer(server, resolve=resolve, allow_loopback=loopback, tls=tls, deadline_s=deadline_s)


def url_of(scheme: str, port: int, login: str = f"{USER}:{PASSWORD.replace(' ', '%20')}@") -> MailServer:
    return mail_server(f"{scheme}://{login}localhost:{port}", SENDER)


async def test_a_mail_arrives_once_over_tls_as_text_and_html(peer: tuple[str, MailPeer]) -> None:
    scheme, server = peer
    sender = mailer(url_of(scheme, server.port), server.certificate)
    mail = message(notice(notice_id="nt_arrives"), SENDER, TO)
    assert await sender.send(mail) == Outcome("taken", "the mail server accepted the message")
    [got] = [each for each in server.mails() if "nt_arrives" in each["Message-ID"]]
    assert got["Subject"].strip() == "Overdue: first response, Jo Doe of Initech, was due Fri 27 Nov 10:05 CET"
    assert (got["X-MailFrom"], got["X-RcptTo"], got["To"]) == (SENDER, TO, TO)
    assert (got["Message-ID"], got["References"]) == ("<nt_arrives@acme.example>", "<win_7@acme.example>")
    assert (got["Auto-Submitted"], got["Importance"]) == ("auto-generated", "high")
    assert [part.get_content_type() for part in got.iter_parts()] == ["text/plain", "text/html"]
    for kind in ("plain", "html"):
        part = got.get_body((kind,))
        assert part is not None
        for shown in ("Jo Doe", "We decide on Monday.", "82: asked for a demo", "10:05 (Europe/Berlin)", "Acknowledge"):
            assert shown in part.get_content()


async def test_what_a_buyer_wrote_adds_no_header_no_recipient_and_no_markup(peer: tuple[str, MailPeer]) -> None:
    scheme, server = peer
    mail = message(hostile(notice_id="nt_hostile\r\nBcc: x@example.com"), SENDER, TO)
    assert (await mailer(url_of(scheme, server.port), server.certificate).send(mail)).state == "taken"
    [got] = [each for each in server.mails() if "nt_hostile" in each["Message-ID"]]
    assert got["X-RcptTo"] == TO
    assert got["Bcc"] is None
    html = got.get_body(("html",))
    assert html is not None
    assert "<b onclick" not in html.get_content()
    assert "&lt;b onclick" in html.get_content()


@pytest.mark.parametrize(
    ("to", "state", "why"),
    [
        ("gone@acme.example", "failed", "the mail server answered 550 5.1.1"),
        ("full@acme.example", "retry", "the mail server answered 452 4.2.2"),
        ("hangs@acme.example", "retry", "the mail server did not answer within 3 s"),
    ],
)
async def test_a_refusal_for_good_and_one_for_now_differ(
    peer: tuple[str, MailPeer], to: str, state: str, why: str
) -> None:
    scheme, server = peer
    sender = mailer(url_of(scheme, server.port), server.certificate, deadline_s=3 if "hangs" in to else 30)
    made = await sender.send(message(notice(), SENDER, to))
    assert (made.state, made.why) == (state, why)


async def test_an_address_beyond_ascii_is_sent_to(peer: tuple[str, MailPeer]) -> None:
    scheme, server = peer
    mail = message(notice(notice_id="nt_utf8"), SENDER, "jürgen@acme.example")
    assert (await mailer(url_of(scheme, server.port), server.certificate).send(mail)).state == "taken"
    [got] = [each for each in server.mails() if "nt_utf8" in each["Message-ID"]]
    assert "jürgen" in str(got["To"])


async def test_a_wrong_password_ends_it_and_is_not_shown(peer: tuple[str, MailPeer]) -> None:
    scheme, server = peer
    sender = mailer(url_of(scheme, server.port, f"{USER}:not-the-password@"), server.certificate)
    made = await sender.send(message(notice(), SENDER, TO))
    assert (made.state, made.why) == ("failed", "the mail server answered 535 5.7.8 to the login")
    assert "not-the-password" not in repr(url_of(scheme, server.port, f"{USER}:not-the-password@"))


async def test_a_certificate_that_does_not_verify_is_not_accepted(peer: tuple[str, MailPeer]) -> None:
    scheme, server = peer
    mails = len(server.mails())
    made = await mailer(url_of(scheme, server.port)).send(message(notice(), SENDER, TO))
    assert (made.state, made.why) == ("retry", "the TLS certificate does not verify: self-signed certificate")
    assert len(server.mails()) == mails


async def test_nothing_is_sent_without_tls(tmp_path: Path) -> None:
    with kit.mail_server(tmp_path, "plain") as server:
        made = await mailer(url_of("smtp", server.port), server.certificate).send(message(notice(), SENDER, TO))
        assert made.state == "failed"
        assert "STARTTLS" in made.why
        assert not (tmp_path / "mail").exists() or server.mails() == []


async def test_this_machine_is_not_sent_to_unless_that_is_allowed() -> None:
    made = await mailer(url_of("smtp", 1), loopback=False).send(message(notice(), SENDER, TO))
    assert (made.state, made.why) == ("failed", "the host's address can't be used: it is not a public address")


@asynccontextmanager
async def saying(first: bytes, again: bytes = b"") -> AsyncIterator[int]:
    """A server that says this to whoever connects, and then `again` for as long as someone listens; its port."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            writer.write(first)
            await writer.drain()
            while again:
                writer.write(again)
                await writer.drain()
            await asyncio.Event().wait()
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        await stop_accepting(server.sockets)
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks)


@pytest.mark.parametrize(
    ("first", "again", "why"),
    [
        (b"", b"", "the mail server did not answer within 1 s"),
        (b"220 hi\r\n", b"", "the mail server did not answer within 1 s"),
        (b"220-hi\r\n", b"220-hi\r\n", "what answered is not a mail server"),
        (b"220", b"x" * 10_000, "what answered is not a mail server"),
        (b"HTTP/1.1 400 Bad\r\n\r\n", b"", "what answered is not a mail server"),
        (b"421 4.3.2 Later\r\n", b"", "the mail server answered 421 4.3.2"),
        (b"554 5.7.1 No\r\n", b"", "the mail server answered 554 5.7.1"),
    ],
)
async def test_a_server_that_hangs_floods_or_speaks_nonsense_has_a_stated_outcome(
    first: bytes, again: bytes, why: str
) -> None:
    async with saying(first, again) as port:
        async with asyncio.timeout(60):
            made = await mailer(url_of("smtp", port), deadline_s=1).send(message(notice(), SENDER, TO))
    assert (made.state, made.why) == ("failed" if "554" in why else "retry", why)


async def test_a_server_that_is_down_is_tried_again() -> None:
    async with saying(b"") as port:
        pass
    made = await mailer(url_of("smtps", port)).send(message(notice(), SENDER, TO))
    assert made == Outcome("retry", "the mail server refused the connection or did not answer", about="address")

"""E-mail: a message as text and HTML, sent over SMTP with TLS or STARTTLS and never without.

The message has the same `Message-ID` on every attempt, and all messages about a promise are one thread.
"""

import asyncio
import re
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.headerregistry import Address
from email.message import EmailMessage
from html import escape
from ipaddress import ip_address
from typing import cast
from urllib.parse import unquote, urlsplit

from aiosmtplib import SMTP
from aiosmtplib.errors import (
    SMTPAuthenticationError,
    SMTPConnectError,
    SMTPException,
    SMTPRecipientsRefused,
    SMTPResponseException,
    SMTPServerDisconnected,
    SMTPTimeoutError,
)
from email_validator import EmailNotValidError, validate_email

from services.delivery.channels.connecting import AddressRefused, Resolve, tls_problem, vetted_addresses
from services.delivery.domain.notice import Notice, facts, headline, links, wrote
from services.delivery.domain.notice_words import fit
from services.delivery.domain.outcome import Outcome, Unsendable

DEADLINE_S = 30.0
LONGEST_SUBJECT = 200
QUIT_S = 2.0
_PORTS = {"smtp": 587, "smtps": 465}
_ENHANCED = re.compile(r"[245]\.\d{1,3}\.\d{1,3}(?=\s|$)")


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where mail is handed in, and as whom. `starttls` upgrades the connection; otherwise it starts with TLS."""

    host: str
    port: int
    starttls: bool
    sender: str
    username: str = ""
    password: str = field(default="", repr=False)


def mail_server(url: str, sender: str) -> MailServer:
    """The server of `smtps://user:password@host` (TLS) or `smtp://...` (STARTTLS). Raises `Unsendable`."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in _PORTS or not parts.hostname or parts.path not in ("", "/"):
        raise Unsendable("the mail server must look like smtps://user:password@host or smtp://user:password@host")
    return MailServer(
        host=parts.hostname,
        port=port or _PORTS[parts.scheme],
        starttls=parts.scheme == "smtp",
        sender=_address(sender, "the sender's address").addr_spec,
        username=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
    )


def message(notice: Notice, sender: str, to: str) -> EmailMessage:
    """The mail, as text and HTML. Raises `Unsendable` for an address that is none."""
    mail = EmailMessage()
    mail["Subject"] = fit(headline(notice), LONGEST_SUBJECT)
    origin = _address(sender, "the sender's address")
    mail["From"] = Address("Baton", origin.username, origin.domain)
    mail["To"] = _address(to, "the recipient's address")
    mail["Date"] = notice.at
    mail["Message-ID"] = f"<{_token(notice.notice_id)}@{origin.domain}>"
    mail["References"] = f"<{_token(notice.matter_id)}@{origin.domain}>"
    mail["Auto-Submitted"] = "auto-generated"
    if notice.page:
        mail["Importance"] = "high"
    mail.set_content("\n".join(_text(notice)))
    mail.add_alternative("".join(_html(notice)), subtype="html")
    return mail


class Mailer:
    """Hands mails to one server. `allow_loopback` takes one on this machine too, `allow_internal` one in a private
    network.
    """

    def __init__(
        self,
        server: MailServer,
        *,
        resolve: Resolve,
        allow_loopback: bool,
        allow_internal: bool = False,
        tls: ssl.SSLContext | None = None,
        deadline_s: float = DEADLINE_S,
    ) -> None:
        self._server = server
        self._resolve = resolve
        self._allowed = {"allow_loopback": allow_loopback, "allow_internal": allow_internal}
        self._tls = tls or ssl.create_default_context()
        self._deadline_s = deadline_s

    @property
    def sender(self) -> str:
        """The address that mails come from."""
        return self._server.sender

    async def send(self, mail: EmailMessage) -> Outcome:
        """Hand the mail in, with a total deadline of 30 s."""
        try:
            async with asyncio.timeout(self._deadline_s):
                return await self._hand_in(mail)
        except TimeoutError:
            return Outcome("retry", f"the mail server did not answer within {self._deadline_s:g} s", about="address")
        except AddressRefused as refused:
            return Outcome("failed", str(refused), about="address")
        except (SMTPException, OSError) as error:
            return _failure(error)

    async def _hand_in(self, mail: EmailMessage) -> Outcome:
        server = self._server
        client = SMTP(
            hostname=server.host,
            sock=await self._connected(),
            use_tls=not server.starttls,
            start_tls=False,
            tls_context=self._tls,
            local_hostname=server.sender.rpartition("@")[2],
            timeout=self._deadline_s,
        )
        with _aborted(client) as opened:
            await client.connect()
            opened.append(client.transport)
            if server.starttls:
                await client.starttls()
                opened.append(client.transport)
            if server.username:
                await client.login(server.username, server.password)
            await client.send_message(mail)
            with suppress(SMTPException, OSError):
                async with asyncio.timeout(QUIT_S):
                    await client.quit()
        return Outcome("taken", "the mail server accepted the message")

    async def _connected(self) -> socket.socket:
        """A connection to the first vetted address that answers."""
        host, port = self._server.host, self._server.port
        addresses = await vetted_addresses(host, port, self._resolve, **self._allowed)
        share_s = self._deadline_s / 2 / len(addresses)
        for address in addresses:
            family = socket.AF_INET6 if ip_address(address).version == 6 else socket.AF_INET
            connection = socket.socket(family, socket.SOCK_STREAM)
            connection.setblocking(False)
            try:
                async with asyncio.timeout(share_s):
                    await asyncio.get_running_loop().sock_connect(connection, (address, port))
            except OSError:  # also a time-out
                connection.close()
            except BaseException:
                connection.close()
                raise
            else:
                return connection
        raise OSError("no address answered")


@contextmanager
def _aborted(client: SMTP) -> Iterator[list[asyncio.BaseTransport | None]]:
    """Close the connection at once in the end: to close TLS properly would be to wait for what the server answers."""
    opened: list[asyncio.BaseTransport | None] = []
    try:
        yield opened
    finally:
        client.close()
        if opened:
            cast(asyncio.WriteTransport, opened[-1]).abort()


def _failure(error: Exception) -> Outcome:
    if isinstance(error, SMTPRecipientsRefused):
        error = error.recipients[0]
    if isinstance(error, SMTPResponseException):
        return _answered(error)
    problem = tls_problem(error) or _not_reached(error)
    if problem is None:
        return Outcome("failed", f"the mail server lacks what is needed: {error}")
    return Outcome("retry", problem, about="address")


def _not_reached(error: Exception) -> str | None:
    """Why the server was not reached; None if it was, and can't do what it must."""
    if isinstance(error, SMTPTimeoutError):
        return "the mail server did not answer in time"
    if isinstance(error, SMTPServerDisconnected | SMTPConnectError):
        return "the mail server closed the connection"
    if isinstance(error, SMTPException):
        return None
    if isinstance(error, socket.gaierror):
        return "the mail server's host does not resolve"
    return "the mail server refused the connection or did not answer"


def _answered(error: SMTPResponseException) -> Outcome:
    """What an SMTP reply means. Of its text only the enhanced status is shown: the rest may contain addresses."""
    if not 200 <= error.code < 600:
        return Outcome("retry", "what answered is not a mail server", about="address")
    enhanced = _ENHANCED.match(error.message)
    why = f"the mail server answered {error.code}" + (f" {enhanced[0]}" if enhanced else "")
    if isinstance(error, SMTPAuthenticationError):
        why += " to the login"
    return Outcome("failed" if error.code >= 500 else "retry", why)


def _address(text: str, what: str) -> Address:
    try:
        valid = validate_email(text, check_deliverability=False, globally_deliverable=False)
    except EmailNotValidError:
        raise Unsendable(f"{what} is not an e-mail address") from None
    return Address(username=valid.local_part, domain=valid.ascii_domain)


def _token(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]", "-", text)


def _text(notice: Notice) -> Iterator[str]:
    yield headline(notice)
    yield ""
    for fact in facts(notice):
        yield f"{fact.label}: {fact.text}"
    if said := wrote(notice):
        yield ""
        yield "The buyer wrote:"
        yield from (f"> {line}" for line in said.splitlines())
    yield ""
    for link in links(notice):
        yield f"{link.label}: {link.url}"


def _html(notice: Notice) -> Iterator[str]:
    yield '<!doctype html><html><body style="font-family: sans-serif">'
    yield f"<h2>{escape(headline(notice))}</h2><table>"
    for fact in facts(notice):
        yield f'<tr><th align="left" valign="top">{escape(fact.label)}</th><td>{escape(fact.text)}</td></tr>'
    yield "</table>"
    if said := wrote(notice):
        yield f'<p>The buyer wrote:</p><blockquote style="white-space: pre-wrap">{escape(said)}</blockquote>'
    yield from (f'<p><a href="{escape(link.url)}">{escape(link.label)}</a></p>' for link in links(notice))
    yield "</body></html>"

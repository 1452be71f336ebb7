"""A real mail server as a process: STARTTLS or TLS with a certificate of its own, a login, and a mailbox on disk.

Recipients that start with `gone`, `full` or `hangs` are refused for good, refused for now, or never answered.
"""

import asyncio
import mailbox
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from functools import partial
from pathlib import Path
from typing import Any

from aiosmtpd.handlers import Mailbox
from aiosmtpd.smtp import SMTP, AuthResult

from deploy.local.ports import LOOPBACK, free_ports, is_free
from deploy.local.process import Process

USER, PASSWORD = "baton", "correct horse"


@dataclass(frozen=True)
class MailPeer:
    """A running mail server: its port, its certificate (to be trusted), and what it accepted."""

    port: int
    certificate: Path
    folder: Path
    _read: dict[str, EmailMessage] = field(default_factory=dict, repr=False, compare=False)

    def mails(self) -> list[EmailMessage]:
        """All accepted mails as Python's parser reads them; the envelope is in `X-MailFrom` and `X-RcptTo`."""
        read = BytesParser(policy=default)
        folder = mailbox.Maildir(self.folder / "mail", create=False)
        for key in sorted(set(folder.iterkeys()) - set(self._read)):
            self._read[key] = read.parsebytes(folder.get_bytes(key))
        return list(self._read.values())


def self_signed(folder: Path) -> tuple[Path, Path]:
    """A new certificate for `localhost`, and its key."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    return certificate, key


@contextmanager
def mail_server(folder: Path, mode: str) -> Iterator[MailPeer]:
    """A server in `mode`: `starttls`, `tls` or `plain` (without either)."""
    certificate, key = self_signed(folder)
    [port] = free_ports(1)
    process = Process("mail", folder)
    program: list[str | Path] = [sys.executable, "-m", "tests.kit.mail_server"]
    process.start(
        [*program, str(port), mode, folder / "mail", certificate, key], ready=lambda: not is_free(port), deadline_s=60
    )
    try:
        yield MailPeer(port, certificate, folder)
    finally:
        process.stop()


class _Handler(Mailbox):
    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any) -> str:
        if address.startswith("gone"):
            return f"550 5.1.1 <{address}> is no longer here"
        if address.startswith("full"):
            return "452 4.2.2 Mailbox full"
        if address.startswith("hangs"):
            await asyncio.Event().wait()
        envelope.rcpt_tos.append(address)
        return "250 OK"


def _login(_server: Any, _session: Any, _envelope: Any, _mechanism: str, given: Any) -> AuthResult:
    return AuthResult(handled=False, success=(given.login.decode(), given.password.decode()) == (USER, PASSWORD))


async def _serve(port: int, mode: str, folder: str, certificate: str, key: str) -> None:
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate, key)
    settings: dict[str, Any] = {"hostname": "localhost", "enable_SMTPUTF8": True, "loop": asyncio.get_running_loop()}
    if mode != "plain":
        settings |= {"authenticator": _login, "auth_required": True, "auth_exclude_mechanism": ["LOGIN"]}
    if mode == "starttls":
        settings |= {"tls_context": tls, "require_starttls": True}
    if mode == "tls":
        settings |= {"auth_require_tls": False}  # it does not see the TLS around it
    server = await asyncio.get_running_loop().create_server(
        partial(SMTP, _Handler(Path(folder)), **settings), LOOPBACK, port, ssl=tls if mode == "tls" else None
    )
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), *sys.argv[2:]))

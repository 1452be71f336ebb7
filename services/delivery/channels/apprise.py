"""Apprise (`url`): SMS or any other service that the optional package apprise knows.

https://appriseit.com/services/. Apprise makes its own connections and blocks, so each message is sent by a process of
its own (`apprise_process`), which is ended after a deadline. It gets the URL and the message through a pipe, and none
of our settings or secrets.
"""

import asyncio
import os
import sys
from collections.abc import Collection
from importlib.util import find_spec

import msgspec

from services.delivery.channels import apprise_process
from services.delivery.channels.apprise_process import ROOT, Parcel, Said
from services.delivery.channels.credentials import Credentials
from services.delivery.domain.channel_needs import NO_APPRISE
from services.delivery.domain.notice import Notice, NoticeKind, facts, headline, links, wrote
from services.delivery.domain.outcome import Outcome, Unsendable

DEADLINE_S = 30.0
AT_ONCE = 4
_TYPES: dict[NoticeKind, str] = {
    "breach": "failure", "exhausted": "failure", "warning": "warning", "closed": "success",
}  # fmt: skip
_PASSED_ON = ("PATH", "LANG", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE")
_OUTCOMES: dict[Said, Outcome] = {
    "taken": Outcome("taken", "apprise: the service took it"),
    "not_taken": Outcome("retry", "apprise: the service did not take it", about="address"),
    "no_url": Outcome("failed", "apprise does not know this kind of URL, or the URL is incomplete", about="address"),
    "refused": Outcome(
        "failed", "apprise tried to connect to an address that is not public, or to start a program", about="address"
    ),
}


def installed() -> bool:
    """Whether the optional package is there."""
    return find_spec("apprise") is not None


class AppriseSender:
    """Sends notices through Apprise, at most four at a time. `allow_loopback` takes addresses of this machine too,
    `internal` are hosts that may be in a private network.
    """

    def __init__(
        self, *, allow_loopback: bool = False, internal: Collection[str] = (), deadline_s: float = DEADLINE_S
    ) -> None:
        self._allow_loopback = allow_loopback
        self._internal = tuple(sorted(internal))
        self._deadline_s = deadline_s
        self._room = asyncio.Semaphore(AT_ONCE)

    async def send(self, notice: Notice, credentials: Credentials) -> Outcome:
        """Send the notice once. Raises `Unsendable` without the package or a URL."""
        if not installed():
            raise Unsendable(NO_APPRISE)
        parcel = Parcel(
            url=credentials.need("url"),
            title=headline(notice),
            body=_body(notice),
            kind=_TYPES.get(notice.kind, "info"),
            allow_loopback=self._allow_loopback,
            internal=self._internal,
        )
        async with self._room:
            return await self._handed_over(parcel)

    async def _handed_over(self, parcel: Parcel) -> Outcome:
        pipe, devnull = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", apprise_process.__name__, cwd=ROOT, stdin=pipe, stdout=pipe, stderr=devnull,
            env={name: os.environ[name] for name in _PASSED_ON if name in os.environ},
        )  # fmt: skip
        try:
            async with asyncio.timeout(self._deadline_s):
                said, _ = await process.communicate(msgspec.msgpack.encode(parcel))
        except TimeoutError:
            return Outcome("retry", f"apprise: no answer within {self._deadline_s:g} s", about="address")
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        try:
            return _OUTCOMES[msgspec.json.decode(said, type=Said)]
        except msgspec.MsgspecError:
            return Outcome("retry", f"apprise ended early (exit code {process.returncode})")


def _body(notice: Notice) -> str:
    lines = [f"{fact.label}: {fact.text}" for fact in facts(notice)]
    if said := wrote(notice):
        lines += ["", "The buyer wrote:", *(f"> {line}" for line in said.splitlines())]
    return "\n".join([*lines, "", *(f"{link.label}: {link.url}" for link in links(notice))])

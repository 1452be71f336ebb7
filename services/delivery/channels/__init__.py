"""The ways out, one module each. `Notifier` sends a notice through any kind of channel that an agreement names."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Protocol

from services.delivery.channels import alertmanager, json_template, opsgenie, pagerduty, slack, teams
from services.delivery.channels.apprise import AppriseSender
from services.delivery.channels.credentials import Credentials, read_credentials
from services.delivery.channels.http_client import HttpClient, Request
from services.delivery.channels.mail import Mailer, message
from services.delivery.channels.webhook import signed
from services.delivery.domain.notice import Notice
from services.delivery.domain.outcome import Outcome, Unsendable
from services.delivery.domain.retry import EndpointResponse
from shared.domain.errors import Refused
from shared.ports import Clock


class HttpChannel(Protocol):
    """What the module of a channel over HTTP provides."""

    def request(self, notice: Notice, credentials: Credentials) -> Request:
        """The notice as this service takes it. Raises `Unsendable`."""
        ...

    def outcome(self, answer: EndpointResponse) -> Outcome:
        """What the answer of this service means."""
        ...


HTTP_CHANNELS: Mapping[str, HttpChannel] = {
    "alertmanager": alertmanager,
    "opsgenie": opsgenie,
    "pagerduty": pagerduty,
    "slack": slack,
    "teams": teams,
    "webhook": json_template,
}


class Notifier:
    """Sends notices. `environ` has the secrets that settings refer to; without a `mailer` there is no e-mail.

    `client` is not that of webhooks: its internal hosts are for the operator's channels and not for subscribers.
    """

    def __init__(
        self,
        client: HttpClient,
        mailer: Mailer | None,
        environ: Mapping[str, str],
        clock: Clock,
        apprise: AppriseSender | None = None,
    ) -> None:
        self._client = client
        self._apprise = apprise or AppriseSender()
        self._mailer = mailer
        self._environ = environ
        self._clock = clock

    @property
    def mails(self) -> bool:
        """Whether there is a mail server."""
        return self._mailer is not None

    async def close(self) -> None:
        """Close all connections."""
        await self._client.close()

    async def send(self, notice: Notice, kind: str, settings: Mapping[str, str]) -> Outcome:
        """Send the notice once through a channel of this kind, and return how that ended."""
        try:
            credentials = await read_credentials(settings, self._environ)
            if kind == "email":
                return await self._mail(notice, credentials)
            if kind == "apprise":
                made = await self._apprise.send(notice, credentials)
                return replace(made, why=credentials.hide(made.why))
            if kind not in HTTP_CHANNELS:
                raise Unsendable(f"there is no channel of the kind `{kind}`")
            channel = HTTP_CHANNELS[kind]
            request = self._signed(channel.request(notice, credentials), notice, credentials)
            made = channel.outcome(await self._client.post(request))
            return replace(made, why=credentials.hide(made.why))
        except Unsendable as unsendable:
            return Outcome("failed", str(unsendable))

    def _signed(self, request: Request, notice: Notice, credentials: Credentials) -> Request:
        secret = credentials.get("secret")
        if not secret:
            return request
        try:
            return signed(request, [secret], notice.notice_id, self._clock.now())
        except Refused as refused:
            raise Unsendable(refused.detail) from None

    async def _mail(self, notice: Notice, credentials: Credentials) -> Outcome:
        if self._mailer is None:
            raise Unsendable("no mail server is configured")
        to = credentials.get("to", notice.recipient.email)
        return await self._mailer.send(message(notice, self._mailer.sender, to))

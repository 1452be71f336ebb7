"""Builds what sends notices from the settings: for the service, and for `./baton channels test`."""

import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace

from services.delivery.channels import Notifier
from services.delivery.channels.apprise import DEADLINE_S as APPRISE_S
from services.delivery.channels.apprise import AppriseSender
from services.delivery.channels.connecting import Resolve, resolve
from services.delivery.channels.http_client import DEADLINE_S, HttpClient
from services.delivery.channels.mail import Mailer, mail_server
from services.delivery.domain.outcome import Unsendable
from services.delivery.settings import DeliverySettings
from shared.domain.errors import Misconfigured
from shared.ports import Clock
from shared.settings import Settings, read


@asynccontextmanager
async def notifier(
    environ: Mapping[str, str], clock: Clock, *, resolving: Resolve = resolve, deadline_s: float = DEADLINE_S
) -> AsyncIterator[Notifier]:
    """Sends notices as the service does; its connections are closed at the end. Raises `Misconfigured`."""
    made = new_notifier(environ, clock, resolving=resolving, deadline_s=deadline_s)
    try:
        yield made
    finally:
        await made.close()


def new_notifier(environ: Mapping[str, str], clock: Clock, *, resolving: Resolve, deadline_s: float) -> Notifier:
    """What sends notices, to be closed at the end. Raises `Misconfigured`."""
    settings, allow_loopback = read(DeliverySettings, environ), read(Settings, environ).allow_loopback_endpoints
    client = HttpClient(
        clock=clock,
        resolve=resolving,
        allow_loopback=allow_loopback,
        internal=settings.internal,
        deadline_s=deadline_s,
    )
    apprise = AppriseSender(
        allow_loopback=allow_loopback, internal=settings.internal, deadline_s=max(deadline_s, APPRISE_S)
    )
    return Notifier(client, mailer(settings, resolving), environ, clock, apprise)


def mailer(settings: DeliverySettings, resolving: Resolve) -> Mailer | None:
    """What hands in e-mails; None without a mail server. Raises `Misconfigured`.

    The operator named the server, so it may be in a private network or on this machine.
    """
    if settings.mail_server is None:
        return None
    try:
        server = mail_server(settings.mail_server.get_secret_value(), settings.mail_from or "")
        tls = ssl.create_default_context(cafile=settings.mail_ca)
    except Unsendable as wrong:
        raise Misconfigured(
            f"BATON_DELIVERY_MAIL_SERVER, BATON_DELIVERY_MAIL_FROM: {wrong}. Correct it and start again."
        ) from None
    except OSError as wrong:
        raise Misconfigured(
            f"BATON_DELIVERY_MAIL_CA: the file can't be used ({type(wrong).__name__}). Correct it and start again."
        ) from None
    if settings.mail_user is not None:
        password = settings.mail_password.get_secret_value() if settings.mail_password is not None else ""
        server = replace(server, username=settings.mail_user, password=password)
    return Mailer(server, resolve=resolving, allow_loopback=True, allow_internal=True, tls=tls)

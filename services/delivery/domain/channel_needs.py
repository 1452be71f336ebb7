"""What the channels of an agreement need where delivery runs."""

from collections.abc import Iterator

from shared.domain.agreement import Agreement

NO_APPRISE = "the package apprise is not installed: install requirements-apprise.lock where delivery runs"


def missing(agreement: Agreement, *, mails: bool, apprise: bool) -> Iterator[str]:
    """Sentences about what is not there: a mail server, unless it `mails`, and the package `apprise`."""
    if (who := _reached_by(agreement, "email")) and not mails:
        yield (
            f"the agreement notifies {who} by e-mail, but no mail server is configured: set "
            "BATON_DELIVERY_MAIL_SERVER and BATON_DELIVERY_MAIL_FROM where delivery runs"
        )
    if (who := _reached_by(agreement, "apprise")) and not apprise:
        yield f"the agreement notifies {who} through Apprise, but {NO_APPRISE}"


def _reached_by(agreement: Agreement, kind: str) -> str:
    return ", ".join(sorted({channel.who for channel in agreement.channels if channel.kind == kind}))

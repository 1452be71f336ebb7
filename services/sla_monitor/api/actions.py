"""`POST /act/escalation`: acknowledges an escalation by the form behind a link in a message."""

from collections.abc import Mapping, Sequence

from services.sla_monitor.api.escalations import acknowledged, quiet_time, to_acknowledge
from shared.db.engine import Database
from shared.domain.action_links import Grant
from shared.domain.promises import escalation_status
from shared.http.action_pages import endpoint
from shared.http.asgi import ASGIApp
from shared.ports import Clock
from shared.runtime.wakeup import WakeUp, wake

PATH = "/act/escalation"


def action_endpoint(*, key: bytes | None, clock: Clock, database: Database, changed: Sequence[WakeUp]) -> ASGIApp:
    """The endpoint; `changed` is set after an acknowledgement. While one of the same person counts, a second use of the
    link changes nothing.
    """

    async def act(grant: Grant, form: Mapping[str, str]) -> str:
        length = form.get("for") or None
        quiet = quiet_time(length)
        async with database.begin() as tx:
            found = await to_acknowledge(tx, grant.subject)
            now = await database.now(tx)
            state = escalation_status(found.state, found.quiet_until_at, now)
            if state == "acknowledged" and found.acknowledged_by == grant.person:
                return "You acknowledged this already, and nothing was changed. It is still yours."
            await acknowledged(tx, found, grant.person, quiet, now)
        wake(changed)
        return f"You acknowledged it {f'for {length}' if length else 'until it is closed'}. It is yours now."

    return endpoint(key, frozenset({"acknowledge"}), clock, act)

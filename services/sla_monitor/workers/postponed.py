"""Windows that cannot be settled as things are: they are looked at again later, and hold up no others."""

from dataclasses import replace
from datetime import datetime, timedelta

import msgspec

from services.sla_monitor.domain.window_state import WindowState
from shared import log
from shared.domain.business_time import NeverOpens
from shared.domain.errors import Misconfigured

AGAIN_AFTER = timedelta(minutes=10)
UNSETTLED = (Misconfigured, NeverOpens)
"""Why a window cannot be settled: this release does not read its agreement, or its calendar has no instant for a level
of its ladder.
"""


class Postponed:
    """Postpones windows, and says so once for each agreement."""

    def __init__(self) -> None:
        self._why: dict[str, str] = {}
        self._log = log.get("sla_monitor")

    def later(self, state: WindowState, why: Exception, now: datetime) -> WindowState:
        """The window, to be looked at again in ten minutes: by then another release may run."""
        agreement = state.window.agreement
        name = f"{agreement.name} version {agreement.version}"
        if name not in self._why:
            self._why[name] = str(why).partition("\n")[0]
            self._log.error("promises_postponed", agreement=name, reason=self._why[name])
        return replace(state, window=msgspec.structs.replace(state.window, look_at=now + AGAIN_AFTER))

    def note(self) -> str | None:
        """Which promises wait and why, since this process started; None for none."""
        if not self._why:
            return None
        name, why = next(iter(self._why.items()))
        more = f", and under {len(self._why) - 1} more" if len(self._why) > 1 else ""
        return f"promises under the agreement {name}{more} wait, because this Baton cannot settle them: {why}"

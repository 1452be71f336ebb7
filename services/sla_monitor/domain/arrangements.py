"""What operators arranged while promises run: silences, and who stands in for the duty rota."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from services.sla_monitor.domain.window import Window
from shared.domain.agreement import Agreement
from shared.domain.duty import Shift
from shared.domain.silences import Silence, silenced_by


@dataclass(frozen=True, slots=True)
class Arrangements:
    """Silences next to those of the agreement, and overrides of the duty rota by role, in the order in which they were
    made.
    """

    silences: tuple[Silence, ...] = ()
    overrides: Mapping[str, tuple[Shift, ...]] = field(default_factory=dict)

    def silence_on(self, agreement: Agreement, window: Window, at: datetime) -> Silence | None:
        """The silence that applies to a promise at an instant. The agreement is the one under which it runs."""
        pools = {name: pool.members for name, pool in agreement.pools.items()}
        silences = (*agreement.silences, *self.silences)
        return silenced_by(silences, pools, promise=window.promise, owner=window.owner, side=window.side, at=at)


NOTHING_ARRANGED = Arrangements()

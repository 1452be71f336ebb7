"""What the monitor no longer needs, if a time was set: facts, windows and escalations that have ended, and
hand-offs a quarter later. A lead with a
window that may still change keeps everything, and under which ids a person is known is always needed.
"""

from datetime import timedelta

import sqlalchemy as sa

from services.sla_monitor.store.tables import (
    escalations,
    facts,
    hand_offs,
    holds,
    merged,
    overrides,
    silences,
    steps,
    windows,
)
from shared.db.trimming import Rule

_PERIOD = timedelta(days=92)
_LIVE = sa.select(windows.c.lead_id).where((windows.c.state == "open") | windows.c.look_at.is_not(None))
_LIVE_AS = sa.select(merged.c.lead_id).where(merged.c.into.in_(_LIVE))
_WINDOWS = sa.select(windows.c.window_id)
_ENDED = escalations.c.state.not_in(["firing", "acknowledged", "exhausted"])

EXPIRED = (
    Rule(facts, lambda before: (facts.c.accepted_at < before) & facts.c.lead_id.not_in(_LIVE.union(_LIVE_AS))),
    Rule(hand_offs, lambda before: (hand_offs.c.handed_at < before - _PERIOD) & hand_offs.c.lead_id.not_in(_LIVE)),
    Rule(windows, lambda before: (windows.c.due_at < before) & windows.c.lead_id.not_in(_LIVE)),
    Rule(steps, lambda before: (steps.c.fired_at < before) & steps.c.window_id.not_in(_WINDOWS)),
    Rule(escalations, lambda before: (escalations.c.raised_at < before) & _ENDED),
    Rule(holds, lambda before: holds.c.released_at < before),
    Rule(silences, lambda before: silences.c.ends_at < before),
    Rule(overrides, lambda before: overrides.c.ends_at < before),
)

"""Windows that cannot be settled as things are."""

from services.sla_monitor.domain.window_state import WindowState
from services.sla_monitor.workers.postponed import AGAIN_AFTER, Postponed
from shared.domain.errors import Misconfigured
from tests.unit.services.sla_monitor.window_states import T0, window


def test_a_window_that_cannot_be_settled_is_looked_at_again_later_and_the_note_says_why() -> None:
    postponed, state = Postponed(), WindowState(window())
    assert postponed.note() is None
    later = postponed.later(state, Misconfigured("emea.yaml:3:1: unknown key\nand more"), T0)
    assert later.window.look_at == T0 + AGAIN_AFTER
    assert (later.announced, later.window.state) == ((), "open")
    assert postponed.note() == (
        "promises under the agreement emea version 3 wait, because this Baton cannot settle them: "
        "emea.yaml:3:1: unknown key"
    )

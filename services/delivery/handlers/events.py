"""Stores public events and their pending deliveries, in one transaction."""

from collections.abc import Sequence

from services.delivery.domain.event_types import types_of
from services.delivery.handlers import inquiries
from services.delivery.handlers.notices import NoticeHandlers
from services.delivery.store.deliveries import add_deliveries
from services.delivery.store.events import PublicEvent, store_events
from services.delivery.store.subscriptions import active_subscriptions
from shared.bus.envelope import Received, structured
from shared.db.engine import Database, Tx
from shared.domain.events import PUBLIC


class DeliveryHandlers:
    """The handlers of the inquiries and of both public topics; `database` provides the time."""

    def __init__(self, database: Database, notices: NoticeHandlers) -> None:
        self._database = database
        self._notices = notices

    async def on_inquiries(self, tx: Tx, batch: Sequence[Received]) -> None:
        """What buyers wrote and read, for messages. No subscriber gets it."""
        await inquiries.store(tx, batch, await self._database.now(tx))

    async def on_assignments(self, tx: Tx, batch: Sequence[Received]) -> None:
        """Who got which lead, and which leads nobody got."""
        now = await self._database.now(tx)
        await self._notices.on_assignments(tx, batch, now)
        await inquiries.follow(tx, batch, now)
        await self._store(tx, batch)

    async def on_escalations(self, tx: Tx, batch: Sequence[Received]) -> None:
        """How promises went. Internal requests on this topic are not delivered."""
        await self._notices.on_escalations(tx, batch, await self._database.now(tx))
        await self._store(tx, batch)

    async def _store(self, tx: Tx, batch: Sequence[Received]) -> None:
        envelopes = [received.envelope for received in batch if received.envelope.type in PUBLIC]
        if not envelopes:
            return
        now = await self._database.now(tx)
        listeners = [
            (subscription.id, types_of(subscription.events)) for subscription in await active_subscriptions(tx)
        ]
        public = [PublicEvent(e.id, e.type, e.subject, e.time, structured(e)) for e in envelopes]
        places = await store_events(tx, public, now)
        pairs = [(who, places[event.event_id]) for event in public for who, types in listeners if event.type in types]
        await add_deliveries(tx, pairs, now)

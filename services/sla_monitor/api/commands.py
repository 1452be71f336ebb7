"""Commands for operators: declare an instance lost, and release a lead on hold."""

from collections.abc import Sequence
from typing import Literal

import msgspec
from fastapi import APIRouter, Response

from services.sla_monitor.store import holds as hold_store
from services.sla_monitor.store import watermarks as watermark_store
from services.sla_monitor.store.persons import lock_persons
from services.sla_monitor.store.states import release
from shared import log
from shared.domain.errors import NotFound
from shared.domain.events import ACTIVITIES
from shared.http.auth import require
from shared.http.fields import Text
from shared.http.responses import json_response
from shared.runtime.service import Platform
from shared.runtime.wakeup import WakeUp, wake

_log = log.get("sla_monitor")


class LostInstance(msgspec.Struct, frozen=True):
    """An ingest instance that is waited for no longer, and on how many partitions it was."""

    instance: str
    state: Literal["lost"]
    partitions: int


class ReleasedLead(msgspec.Struct, frozen=True):
    """A lead, and how many of its promises run on."""

    lead_id: str
    released: int


def router(platform: Platform, *, changed: Sequence[WakeUp]) -> APIRouter:
    """The routes; they need a key with `operate`, and `changed` is set after them."""
    database, routes = platform.db, APIRouter(dependencies=[require(platform.keys, "operate")])

    def partition_of(lead_id: str) -> int:
        return platform.bus.partition_of(ACTIVITIES, lead_id)

    @routes.post("/v1/instances/{instance}/declare-lost")
    async def declare_lost(instance: Text) -> Response:
        """Wait no longer for what this ingest instance has not sent. Only for one whose disk is gone: should it come
        back, breaches announced meanwhile may have to be taken back.
        """
        async with database.begin() as tx:
            partitions = await watermark_store.declare_lost(tx, instance)
        if not partitions:
            raise NotFound(f"There is no running ingest instance {instance!r}.")
        _log.warning("instance_declared_lost", instance=instance)
        wake(changed)
        return json_response(LostInstance(instance, "lost", partitions))

    @routes.post("/v1/leads/{lead_id}/release")
    async def release_lead(lead_id: Text) -> Response:
        """Let the promises of a lead run on that are on hold because of an activity that could not be read. The same
        record does this by itself if it arrives again and can be read; this is for one that will never be read.
        """
        async with database.begin() as tx:
            # Locked, because a consumer may be putting the lead on hold for another record, or opening its promises.
            persons = await lock_persons(tx, [lead_id], partition_of)
            holds = await hold_store.holds_of(tx, persons.ids)
            released = await release(tx, holds, await database.now(tx))
        if not holds:
            raise NotFound(f"No promise of the lead {lead_id!r} is on hold.")
        _log.warning("lead_released", lead_id=lead_id, windows=released)
        wake(changed)
        return json_response(ReleasedLead(lead_id, released))

    return routes

"""The routes of the pages: whole pages, their panels, static files, and the stream of changes."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, Response, StreamingResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from services.scoreboard.domain.event_words import plain
from services.scoreboard.pages import formats, view
from services.scoreboard.pages.agreement import agreement_page, difference_page
from services.scoreboard.pages.assets import read_assets
from services.scoreboard.pages.backlog import Backlog
from services.scoreboard.pages.live import Live
from services.scoreboard.pages.on_call_forms import duty_page, escalation_page, silence_page
from services.scoreboard.pages.operations import OperationsPage, operations_page
from services.scoreboard.pages.orphans import Orphans, OrphansPage, orphans_page
from services.scoreboard.pages.without_owner import ParkedPage, RejectedPage, Rejections, parked_page, rejected_page
from shared.agreement_file.schema.duty_schema import DutyRole
from shared.agreements import store as agreements
from shared.bus.envelope import instant
from shared.db.engine import Tx
from shared.domain.errors import NotFound
from shared.domain.printable import printable
from shared.domain.zones import time_zone
from shared.http.auth import require_viewer
from shared.http.fields import Cursor, Number, Text
from shared.http.message_page import FORM_HEADERS, PAGE_HEADERS
from shared.runtime.service import Platform

_FOREVER = "public, max-age=31536000, immutable"


class Pages:
    """The pages of one process, in the zone `chosen` or, without one, that of the agreement in force."""

    def __init__(self, platform: Platform, chosen: ZoneInfo | None, live: Live) -> None:
        self._platform = platform
        self._chosen = chosen
        self._live = live
        self._backlog = Backlog(platform.db, platform.bus, platform.clock)
        self._assets = read_assets()
        settings = platform.settings
        here = (settings.public_url or f"http://127.0.0.1:{settings.port}").rstrip("/")
        self._templates = _templates({name: asset.path for name, asset in self._assets.items()}, here)

    def router(self) -> APIRouter:
        """All routes that a browser asks for."""
        router = APIRouter(include_in_schema=False)
        viewers = [require_viewer(self._platform.settings, self._platform.keys)]
        router.get("/", dependencies=viewers)(self._scoreboard)
        router.get("/panels", dependencies=viewers)(self._panels)
        router.get("/leads/{lead_id}", dependencies=viewers)(self._lead)
        router.get("/leads/{lead_id}/panels", dependencies=viewers)(self._lead_panels)
        router.get("/leads/{lead_id}/why", dependencies=viewers)(self._why)
        router.get("/parked", dependencies=viewers)(self._parked)
        router.get("/parked/panels", dependencies=viewers)(self._parked_panels)
        router.get("/rejected", dependencies=viewers)(self._rejected)
        router.get("/rejected/panels", dependencies=viewers)(self._rejected_panels)
        router.get("/orphans", dependencies=viewers)(self._orphans)
        router.get("/orphans/panels", dependencies=viewers)(self._orphans_panels)
        router.get("/operations", dependencies=viewers)(self._operations)
        router.get("/operations/panels", dependencies=viewers)(self._operations_panels)
        router.get("/operations/escalations/{escalation_id}", dependencies=viewers)(self._escalation)
        router.get("/operations/silences/{silence_id}", dependencies=viewers)(self._silence)
        router.get("/operations/duty/{role}", dependencies=viewers)(self._duty)
        router.get("/agreement", dependencies=viewers)(self._agreement)
        router.get("/agreement/diff", dependencies=viewers)(self._difference)
        router.get("/live", dependencies=viewers)(self._stream)
        router.get("/static/{digest}/{name}")(self._static)
        return router

    async def _scoreboard(self) -> Response:
        return self._page("scoreboard.html", await self._board())

    async def _panels(self) -> Response:
        return self._page("panels.html", await self._board())

    async def _lead(self, lead_id: Text) -> Response:
        return await self._of_lead("lead.html", lead_id)

    async def _lead_panels(self, lead_id: Text) -> Response:
        return await self._of_lead("lead_panels.html", lead_id)

    async def _why(self, lead_id: Text, cursor: Cursor | None = None) -> Response:
        async with self._platform.db.read() as tx:
            page = await view.why_page(tx, lead_id, cursor, *await self._local_now(tx))
        if page is None:
            return self._page("missing.html", None, status=404)
        return self._page("why.html", page)

    async def _parked(self, queue: Text | None = None, after: Cursor | None = None, skip: Number = 0) -> Response:
        return self._page("parked.html", await self._waiting(queue, after, skip))

    async def _parked_panels(
        self, queue: Text | None = None, after: Cursor | None = None, skip: Number = 0
    ) -> Response:
        return self._page("parked_panels.html", await self._waiting(queue, after, skip))

    async def _rejected(self, chosen: Annotated[Rejections, Query()]) -> Response:
        return self._page("rejected.html", await self._turned_down(chosen))

    async def _rejected_panels(self, chosen: Annotated[Rejections, Query()]) -> Response:
        return self._page("rejected_panels.html", await self._turned_down(chosen))

    async def _orphans(self, chosen: Annotated[Orphans, Query()]) -> Response:
        return self._page("orphans.html", await self._without_lead(chosen))

    async def _orphans_panels(self, chosen: Annotated[Orphans, Query()]) -> Response:
        return self._page("orphans_panels.html", await self._without_lead(chosen))

    async def _operations(self, done: Text | None = None) -> Response:
        return self._page("operations.html", await self._on_call(done))

    async def _operations_panels(self, done: Text | None = None) -> Response:
        return self._page("operations_panels.html", await self._on_call(done))

    async def _escalation(self, escalation_id: Text) -> Response:
        async with self._platform.db.read() as tx:
            page = await escalation_page(tx, escalation_id, *await self._local_now(tx))
        return self._page("escalation.html", page, headers=FORM_HEADERS)

    async def _silence(self, silence_id: Text) -> Response:
        async with self._platform.db.read() as tx:
            page = await silence_page(tx, silence_id, *await self._local_now(tx))
        return self._page("silence.html", page, headers=FORM_HEADERS)

    async def _duty(self, role: DutyRole) -> Response:
        async with self._platform.db.read() as tx:
            page = await duty_page(tx, role, *await self._local_now(tx))
        return self._page("duty.html", page, headers=FORM_HEADERS)

    async def _agreement(self, version: Number | None = None) -> Response:
        async with self._platform.db.read() as tx:
            page = await agreement_page(tx, version, *await self._local_now(tx))
        return self._page("agreement.html", page)

    async def _difference(
        self, old: Annotated[Number, Query(alias="from")], new: Annotated[Number, Query(alias="to")]
    ) -> Response:
        async with self._platform.db.read() as tx:
            page = await difference_page(tx, old, new, (await self._local_now(tx))[0])
        return self._page("agreement_diff.html", page)

    async def _stream(self) -> Response:
        self._live.make_room()
        return StreamingResponse(self._live.stream(), media_type="text/event-stream", headers=PAGE_HEADERS)

    async def _static(self, digest: Text, name: Text, request: Request) -> Response:
        asset = self._assets.get(name)
        if asset is None:
            raise NotFound("There is no such file. Reload the page.")
        tag = f'"{asset.digest}"'
        caching = _FOREVER if digest == asset.digest else "no-cache"
        headers = {**PAGE_HEADERS, "cache-control": caching, "etag": tag}
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        return Response(asset.body, media_type=asset.media_type, headers=headers)

    async def _board(self) -> view.Scoreboard:
        async with self._platform.db.read() as tx:
            return await view.scoreboard(tx, *await self._local_now(tx))

    async def _waiting(self, queue: str | None, after: str | None, skip: int) -> ParkedPage:
        async with self._platform.db.read() as tx:
            return await parked_page(tx, queue, after, skip, (await self._local_now(tx))[0])

    async def _turned_down(self, chosen: Rejections) -> RejectedPage:
        async with self._platform.db.read() as tx:
            return await rejected_page(tx, chosen, (await self._local_now(tx))[0])

    async def _without_lead(self, chosen: Orphans) -> OrphansPage:
        async with self._platform.db.read() as tx:
            return await orphans_page(tx, chosen, (await self._local_now(tx))[0])

    async def _on_call(self, done: str | None) -> OperationsPage:
        unread = await self._backlog.unread()
        async with self._platform.db.read() as tx:
            return await operations_page(tx, *await self._local_now(tx), unread=unread, done=done)

    async def _of_lead(self, template: str, lead_id: str) -> Response:
        async with self._platform.db.read() as tx:
            page = await view.lead_page(tx, lead_id, *await self._local_now(tx))
        if page is None:
            return self._page("missing.html", None, status=404)
        return self._page(template, page)

    async def _local_now(self, tx: Tx) -> tuple[datetime, ZoneInfo]:
        """The time now as people read it, and their zone: UTC while no agreement is in force."""
        now, zone = self._platform.clock.now(), self._chosen
        if zone is None:
            agreement = await agreements.in_force(tx, now)
            zone = time_zone(agreement.timezone if agreement is not None else "UTC")
        return now.astimezone(zone), zone

    def _page(
        self, template: str, page: Any, *, status: int = 200, headers: Mapping[str, str] = PAGE_HEADERS
    ) -> Response:
        return HTMLResponse(self._templates.get_template(template).render(page=page), status, headers=headers)


def _templates(assets: dict[str, str], here: str) -> Environment:
    templates = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )

    templates.globals.update(
        assets=assets,
        badge=formats.badge,
        countdown=formats.countdown,
        lead_name=formats.lead_name,
        count_to=view.COUNT_TO,
        here=here,
        wait=formats.wait,
        query=lambda **chosen: urlencode(chosen),
    )
    templates.filters.update(instant=instant, moment=formats.moment, number=formats.number, percent=formats.percent)
    templates.filters.update(words=plain, span=formats.span)
    templates.filters["outside"] = _outside
    return templates


def _shown(value: Any) -> Any:
    """Whatever a template shows, without characters that would turn its other words around."""
    return printable(value, lines=True) if isinstance(value, str) and not isinstance(value, Markup) else value


def _outside(words: str) -> Markup:
    """What a stranger wrote: the direction of its letters ends where it ends."""
    return Markup("<bdi>{}</bdi>").format(printable(words, lines=True))

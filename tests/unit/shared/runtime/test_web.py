"""Who may post where those who may see pages may, before any of the body is read."""

import json
from pathlib import Path

import httpx
import pytest
from fastapi import APIRouter

from shared.bus.embedded import EmbeddedBus
from shared.http.auth import require_viewer
from shared.http.keys import make_key
from shared.runtime.service import Service
from shared.runtime.web import Web
from tests.kit.services import platform_on

PATH = "/v1/repeat"


@pytest.mark.parametrize(("scope", "status"), [("operate", 200), ("leads:read", 403), (None, 401)])
async def test_a_route_for_viewers_asks_elsewhere_for_its_own_scope_alone(
    embedded_bus: EmbeddedBus, tmp_path: Path, scope: str | None, status: int
) -> None:
    secret, entry = make_key("ops", [scope or "operate"])
    (tmp_path / "keys.json").write_text(json.dumps([entry]))
    platform = platform_on(None, embedded_bus, BATON_KEYS=str(tmp_path / "keys.json"))
    routes = APIRouter(dependencies=[require_viewer(platform.settings, platform.keys, "operate")])
    routes.add_api_route(PATH, lambda: "done", methods=["POST"])
    web = Web(platform, [Service("router", routers=[routes], viewers_may_post=[PATH])])
    headers = {"Authorization": f"Bearer {secret}"} if scope else {}
    transport = httpx.ASGITransport(web, client=("10.0.0.1", 4711))
    async with httpx.AsyncClient(transport=transport, base_url="http://baton", headers=headers) as client:
        assert (await client.post(PATH)).status_code == status

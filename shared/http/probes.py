"""What operators and their tools ask of every process: is it alive, is it ready, and its metrics."""

from collections.abc import Awaitable, Callable, Mapping

import msgspec
from fastapi import APIRouter
from fastapi.responses import Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from shared.http.responses import json_response

ALIVE, READY, METRICS = "/healthz", "/readyz", "/metrics"
OPEN_TO_ALL = (ALIVE, READY, METRICS, "/openapi.json")
"""What is answered without a key."""


class Health(msgspec.Struct, frozen=True):
    """The process runs."""

    status: str = "ok"


class Readiness(msgspec.Struct, frozen=True):
    """Whether the process takes requests: "ok" or what is wrong, by check. `notes` don't change it."""

    ready: bool
    checks: Mapping[str, str]
    notes: Mapping[str, str] = {}

    @property
    def status(self) -> int:
        """The HTTP status that goes with it."""
        return 200 if self.ready else 503


def router(readiness: Callable[[], Awaitable[Readiness]]) -> APIRouter:
    """The routes. `readiness` is called for every request."""
    routes = APIRouter(include_in_schema=False)

    @routes.get(ALIVE)
    async def alive() -> Response:
        return json_response(Health())

    @routes.get(READY)
    async def ready() -> Response:
        found = await readiness()
        return json_response(found, status=found.status)

    @routes.get(METRICS)
    async def metrics() -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return routes

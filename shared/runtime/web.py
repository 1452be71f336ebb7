"""One ASGI app from the doors and routers of the services in this process, with probes and problem documents.

Hot doors are plain ASGI apps next to the FastAPI app: the same handler as a framework route costs half the rate.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from fastapi.responses import JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.exceptions import HTTPException

from shared import log
from shared.domain.errors import Problem, Unavailable
from shared.http.asgi import ASGIApp, Receive, Scope, Send
from shared.http.auth import may_view
from shared.http.origin import SAFE_METHODS, refuse_cross_site, refuse_foreign_host
from shared.http.problems import document, problem_headers
from shared.http.responses import send_response
from shared.runtime.outage import is_away, reason
from shared.runtime.service import Check, Platform, Service
from shared.runtime.task import Task

MAX_BODY = 1024 * 1024
_OPEN_TO_ALL = ("/healthz", "/readyz", "/metrics", "/openapi.json")
_CLOSE = (b"connection", b"close")


class _Status(Problem):
    title = "The request can't be answered"


class Web:
    """The whole door of a process. Not ready until `open` is called; `close` makes it unready for draining."""

    def __init__(self, platform: Platform, services: Sequence[Service], tasks: Sequence[Task] = ()) -> None:
        self._doors = sorted(
            ((prefix, app) for service in services for prefix, app in service.endpoints.items()),
            key=lambda d: -len(d[0]),
        )
        self._platform = platform
        self._viewers = {path for service in services for path in service.viewers_may_post}
        self._checks = {f"{s.name}.{name}": check for s in services for name, check in s.checks.items()}
        self._checks |= {task.name: task.check for task in tasks}
        self._notes = {f"{s.name}.{name}": note for s in services for name, note in s.notes.items()}
        self._open = False
        self._log = log.get("web")
        self.app = self._framework(platform, services)

    def open(self) -> None:
        """All services have started."""
        self._open = True

    def close(self) -> None:
        """Draining: readiness is gone, requests are still answered."""
        self._open = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection: a hot door by its path, else the framework."""
        app: ASGIApp = self.app
        if scope["type"] == "http":
            app = self._door(scope["path"], scope["method"]) or self.app
            try:
                self._check(scope, framework=app is self.app)
            except Problem as problem:
                await send_response(send, problem.status, document(problem), [*problem_headers(problem), _CLOSE])
                return
        await app(scope, receive, send)

    def _door(self, path: str, method: str) -> ASGIApp | None:
        if path == "/v1/leads" and method in ("GET", "HEAD"):
            return None
        for prefix, app in self._doors:
            if path == prefix or (prefix.endswith("/") and path.startswith(prefix)):
                return app
        return None

    def _check(self, scope: Scope, *, framework: bool) -> None:
        """Before any of the body is read. Raises `Forbidden`, `Misdirected` or `Unauthorised`."""
        path = scope["path"]
        if scope["method"] in SAFE_METHODS:
            if path in _OPEN_TO_ALL:
                refuse_foreign_host(scope, self._platform.settings)
        elif not path.startswith("/v1/sources/"):
            refuse_cross_site(scope, self._platform.settings)
            if framework:
                self._refuse_strangers(scope, path)

    def _refuse_strangers(self, scope: Scope, path: str) -> None:
        """A framework route reads the body before it asks for the key."""
        if path in self._viewers:
            may_view(scope, self._platform.settings, self._platform.keys)
        else:
            headers = dict(scope["headers"])
            self._platform.keys.recognise(headers.get(b"authorization", b"").decode("latin-1"))

    def _framework(self, platform: Platform, services: Sequence[Service]) -> FastAPI:
        app = FastAPI(
            title="Baton",
            version="1",
            docs_url=None,
            redoc_url=None,
            telemetry={"tracing": False, "metrics": False, "logs": False},
            max_body_size=MAX_BODY,
        )
        app.state.platform = platform
        for service in services:
            for router in service.routers:
                app.include_router(router)
        app.openapi = lambda: _described(app, services)  # type: ignore[method-assign]
        app.add_exception_handler(Problem, self._problem)
        app.add_exception_handler(RequestValidationError, self._invalid)
        app.add_exception_handler(HTTPException, self._http)
        app.add_exception_handler(Exception, self._unexpected)
        app.get("/healthz", include_in_schema=False)(_alive)
        app.get("/readyz", include_in_schema=False)(self._ready)
        app.get("/metrics", include_in_schema=False)(_metrics)
        return app

    async def findings(self) -> dict[str, str | None]:
        """What each readiness check says now: None when all is well."""
        results = {"started": None if self._open else "starting, or draining"}
        for name, check in self._checks.items():
            results[name] = await _outcome(check)
        return results

    async def _ready(self) -> Response:
        results = await self.findings()
        well = all(found is None for found in results.values())
        checks = {name: found or "ok" for name, found in results.items()}
        notes = {name: text for name, note in self._notes.items() if (text := note()) is not None}
        return JSONResponse({"ready": well, "checks": checks, "notes": notes}, status_code=200 if well else 503)

    async def _problem(self, _request: Request, error: Exception) -> Response:
        assert isinstance(error, Problem)  # noqa: S101 (registered for this class only)
        return _response(error)

    async def _invalid(self, _request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)  # noqa: S101
        errors = [{"pointer": _pointer(e["loc"]), "detail": e["msg"]} for e in error.errors()]
        body = {
            "type": "about:blank",
            "title": "The request was refused",
            "status": 422,
            "detail": f"Correct {errors[0]['pointer']}: {errors[0]['detail']}.",
            "errors": errors,
        }
        return Response(msgspec.json.encode(body), 422, media_type="application/problem+json")

    async def _http(self, _request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101
        problem = _Status(f"{error.detail}. See /openapi.json for what there is.", status=error.status_code)
        return _response(problem, error.headers)

    async def _unexpected(self, request: Request, error: Exception) -> Response:
        if is_away(error):
            self._log.warning("request_waits", path=request.url.path, reason=reason(error))
            return _response(Unavailable("The database or the log is not available right now. Try again."))
        self._log.error("request_failed", path=request.url.path, exc_info=error)
        return _response(Unavailable("This failed on our side and is in our log; nothing was half applied. Try again."))


def _described(app: FastAPI, services: Sequence[Service]) -> dict[str, Any]:
    """The framework's own document with the hot endpoints added."""
    if app.openapi_schema is None:
        document = get_openapi(title=app.title, version=app.version, routes=app.routes)
        for described in (service.openapi() for service in services if service.openapi is not None):
            for path, operations in described["paths"].items():
                document["paths"].setdefault(path, {}).update(operations)
            document.setdefault("components", {}).setdefault("schemas", {}).update(described["schemas"])
        app.openapi_schema = document
    return app.openapi_schema


async def _alive() -> dict[str, str]:
    return {"status": "ok"}


async def _metrics() -> Response:
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


async def _outcome(check: Check) -> str | None:
    try:
        return await check()
    except Exception as error:  # a probe reports whatever is wrong; it never fails itself
        return f"{type(error).__name__}: {error}" if isinstance(error, Problem) else type(error).__name__


def _response(problem: Problem, extra: Mapping[str, str] | None = None) -> Response:
    response = Response(document(problem), problem.status)
    response.raw_headers += problem_headers(problem)
    response.headers.update(extra or {})
    return response


def _pointer(location: Sequence[Any]) -> str:
    parts = location[1:] if location and location[0] in ("body", "query", "path") else location
    return "/" + "/".join(str(part) for part in parts)

"""One ASGI app from the endpoints and routers of the services in this process, with probes and problem documents.

Hot endpoints are plain ASGI apps next to the FastAPI app: the same handler as a framework route costs half the rate.
"""

from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.openapi.utils import get_openapi
from fastapi.responses import Response

from shared import log
from shared.domain.errors import Problem, Refused, Unavailable
from shared.http.asgi import ASGIApp, Endpoint, Receive, Scope, Send
from shared.http.origin import SAFE_METHODS, header, refuse_cross_site, refuse_foreign_host, why_not_local
from shared.http.probes import OPEN_TO_ALL, Readiness
from shared.http.probes import router as probes
from shared.http.problems import send_problem
from shared.http.responses import answer_problems, problem_response
from shared.http.whole_request import WholeRequest
from shared.runtime.backoff import is_away, reason
from shared.runtime.service import Check, Platform, Service
from shared.runtime.task import Task

MAX_BODY = 1024 * 1024


class Web:
    """The whole ASGI app of a process. Not ready until `open` is called; `close` makes it unready for draining."""

    def __init__(self, platform: Platform, services: Sequence[Service], tasks: Sequence[Task] = ()) -> None:
        endpoints = [(prefix, endpoint) for service in services for prefix, endpoint in service.endpoints.items()]
        self._endpoints = sorted(endpoints, key=lambda found: -len(found[0]))
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
        """Serve one connection: an endpoint by its path, else the framework."""
        app: ASGIApp = self.app
        if scope["type"] == "http":
            request = WholeRequest(scope, receive, send)
            receive, send = request.receive, request.send
            endpoint = self._endpoint(scope["path"], scope["method"])
            if endpoint is not None:
                app = endpoint.app
            try:
                self._check(scope, endpoint)
            except Problem as problem:
                await send_problem(send, problem)
                return
        await app(scope, receive, send)

    def _endpoint(self, path: str, method: str) -> Endpoint | None:
        for prefix, endpoint in self._endpoints:
            if path == prefix or (prefix.endswith("/") and path.startswith(prefix)):
                return None if method in endpoint.routed else endpoint
        return None

    def _check(self, scope: Scope, endpoint: Endpoint | None) -> None:
        """Before any of the body is read. Raises `Forbidden`, `Misdirected`, `Unauthorised` or `Refused`."""
        if scope["method"] in SAFE_METHODS:
            if scope["path"] in OPEN_TO_ALL:
                refuse_foreign_host(scope, self._platform.settings)
        elif endpoint is None or not endpoint.any_site:
            refuse_cross_site(scope, self._platform.settings)
            if endpoint is None:
                self._refuse_strangers(scope)
                _refuse_large(scope)

    def _refuse_strangers(self, scope: Scope) -> None:
        """A framework route reads the body before it asks for the key."""
        if scope["path"] not in self._viewers or why_not_local(scope, self._platform.settings) is not None:
            self._platform.keys.recognise(header(scope, b"authorization"))

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
        answer_problems(app)
        app.add_exception_handler(Exception, self._unexpected)
        app.include_router(probes(self._readiness))
        return app

    async def findings(self) -> dict[str, str | None]:
        """The result of each readiness check: None if it passes."""
        results = {"started": None if self._open else "starting, or draining"}
        for name, check in self._checks.items():
            results[name] = await _outcome(check)
        return results

    async def _readiness(self) -> Readiness:
        results = await self.findings()
        return Readiness(
            ready=all(found is None for found in results.values()),
            checks={name: found or "ok" for name, found in results.items()},
            notes={name: text for name, note in self._notes.items() if (text := note()) is not None},
        )

    async def _unexpected(self, request: Request, error: Exception) -> Response:
        if is_away(error):
            self._log.warning("request_waits", path=request.url.path, reason=reason(error))
            return problem_response(Unavailable("The database or the log is not available right now. Try again."))
        self._log.error("request_failed", path=request.url.path, exc_info=error)
        ours = Unavailable("Internal error; see the log. Nothing was partially applied. Try again.")
        return problem_response(ours)


def _refuse_large(scope: Scope) -> None:
    """The framework counts what comes, too, but would answer without saying how much is allowed."""
    length = header(scope, b"content-length") or "0"
    if length.isdigit() and int(length[:18]) > MAX_BODY:
        raise Refused(f"At most {MAX_BODY // 1024} KiB are taken in one request.", status=413)


def _described(app: FastAPI, services: Sequence[Service]) -> dict[str, Any]:
    """The framework's own document with the hot endpoints added."""
    if app.openapi_schema is None:
        document = get_openapi(title=app.title, version=app.version, routes=app.routes)
        for described in (service.openapi() for service in services if service.openapi is not None):
            for path, methods in described["paths"].items():
                document["paths"].setdefault(path, {}).update(methods)
            document.setdefault("components", {}).setdefault("schemas", {}).update(described["schemas"])
        app.openapi_schema = document
    return app.openapi_schema


async def _outcome(check: Check) -> str | None:
    try:
        return await check()
    except Exception as error:  # a probe reports whatever is wrong; it never fails itself
        return f"{type(error).__name__}: {error}" if isinstance(error, Problem) else type(error).__name__

"""Answers of the framework's routes: JSON, a page of a list, and problem documents for whatever a route raises."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from shared.domain.errors import Problem, Refused
from shared.http.problems import document, problem_headers

NO_STORE = {"cache-control": "no-store"}


class _Status(Problem):
    title = "The request can't be answered"


def json_response(value: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A value as JSON: structs, mappings, and what is in them."""
    return Response(msgspec.json.encode(value), status, headers=headers, media_type="application/json")


def page_response(
    items: Sequence[Any], next_cursor: str | None, *, headers: Mapping[str, str] | None = None
) -> Response:
    """A page of a list; `next_cursor` is None on the last one."""
    return json_response({"items": items, "next_cursor": next_cursor}, headers=headers)


def problem_response(problem: Problem, extra: Mapping[str, str] | None = None) -> Response:
    """The problem document for an error."""
    response = Response(document(problem), problem.status)
    response.raw_headers += problem_headers(problem)
    response.headers.update(extra or {})
    return response


def answer_problems(app: FastAPI) -> None:
    """Have the app answer with a problem document when a route refuses, is not found, or can't read its request."""
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)


async def _problem(_request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)  # noqa: S101 (registered for this class only)
    return problem_response(error)


async def _invalid(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101
    errors = [{"pointer": _pointer(e["loc"]), "detail": e["msg"]} for e in error.errors()]
    refused = Refused(f"Correct {errors[0]['pointer']}: {errors[0]['detail']}.")
    return Response(document(refused, errors), refused.status, media_type="application/problem+json")


async def _http(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101
    problem = _Status(f"{error.detail}. See /openapi.json for what there is.", status=error.status_code)
    return problem_response(problem, error.headers)


def _pointer(location: Sequence[Any]) -> str:
    parts = location[1:] if location and location[0] in ("body", "query", "path") else location
    return "/" + "/".join(str(part) for part in parts)

"""The OpenAPI description of the hot endpoints, which are not framework routes: generated from their structs."""

from collections.abc import Mapping
from typing import Any

import msgspec

from services.ingest.domain.facts import Activity
from services.ingest.domain.intake import SubmittedLead

_PROBLEMS = {
    "400": "Not JSON; says line and column",
    "401": "No key, or one that is not known",
    "403": "The key lacks the scope that is named",
    "413": "More than 1 MiB or 1,000 items",
    "415": "Another media type",
    "422": "Refused; nothing was stored",
    "503": "Not now; see Retry-After",
}


def described() -> Mapping[str, Any]:
    """OpenAPI 3.1 `paths` and `components.schemas` of the endpoints that take leads, activities and sources' own
    formats.
    """
    (lead, activity), schemas = msgspec.json.schema_components(
        [SubmittedLead, Activity], ref_template="#/components/schemas/{name}"
    )
    paths = {
        "/v1/leads": {"post": _endpoint("Post leads", "leads:write", lead)},
        "/v1/activities": {"post": _endpoint("Report what sales did", "activities:write", activity)},
        "/v1/sources/{source}": {
            "post": {
                "summary": "Post in a configured source's own format",
                "parameters": [{"name": "source", "in": "path", "required": True, "schema": {"type": "string"}}],
                "responses": {"200": {"description": "Kept, as the source's sender expects it"}, **_problems("404")},
            }
        },
    }
    return {"paths": paths, "schemas": schemas}


def _endpoint(summary: str, scope: str, item: Mapping[str, Any]) -> dict[str, Any]:
    several = {"oneOf": [item, {"type": "array", "items": item, "maxItems": 1000}]}
    lines = {"schema": {"type": "string", "description": "One item per line"}}
    return {
        "summary": summary,
        "description": f"Needs a key with the scope `{scope}`. Answered when everything is synced to disk.",
        "parameters": [{"name": "Idempotency-Key", "in": "header", "required": False, "schema": {"type": "string"}}],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": several}, "application/x-ndjson": lines},
        },
        "responses": {"202": {"description": "Accepted, with one result per item"}, **_problems(*_PROBLEMS)},
    }


def _problems(*codes: str) -> dict[str, Any]:
    content = {"application/problem+json": {"schema": {"type": "object"}}}
    return {code: {"description": _PROBLEMS.get(code, "No such source"), "content": content} for code in codes}

"""The peers of the accept benchmark: the least that a uvicorn app can do, and a FastAPI handler that checks the
body's shape.
"""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
_ANSWER = b'{"results":[{"status":"accepted","inquiry_id":"inq_' + b"0" * 57 + b'","lead_id":"ld_' + b"0" * 32 + b'"}]}'
_HEADERS = [(b"content-type", b"application/json"), (b"content-length", str(len(_ANSWER)).encode())]


async def app(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
    """Read the whole body and answer, whatever it is."""
    while (await receive()).get("more_body"):
        continue
    await send({"type": "http.response.start", "status": 202, "headers": _HEADERS})
    await send({"type": "http.response.body", "body": _ANSWER})


class Person(BaseModel):
    """The contact block of a lead."""

    email: str
    phone: str | None = None
    first_name: str | None = None
    last_name: str | None = None


class Lead(BaseModel):
    """A lead with the fields that the load sends."""

    external_id: str
    occurred_at: str
    kind: str
    source: str
    contact: Person
    company: dict[str, Any]
    consent: dict[str, str]
    channel: str | None = None
    campaign: str | None = None
    page_url: str | None = None
    message: str | None = None


framework = FastAPI(telemetry={"tracing": False, "metrics": False, "logs": False})


@framework.post("/v1/leads", status_code=202)
async def post_lead(lead: Lead) -> dict[str, Any]:
    """Do nothing with it."""
    return {"results": [{"status": "accepted", "inquiry_id": lead.external_id, "lead_id": lead.contact.email}]}

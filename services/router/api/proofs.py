"""The proof of each verdict, the record for checking it offline, and the agreement in force.

Pages show these too, so everyone who may view pages may read them; others need a key with the scope `leads:read`.
"""

from collections.abc import Callable, Mapping
from typing import Any

from fastapi import APIRouter, Response

from services.router.api.views import ProofsView
from services.router.domain.proof import Proof, explained
from services.router.domain.proof_text import proof_text
from services.router.domain.rederivation import AgreementText, ProofRecord, differences, encode
from services.router.store import record
from shared.agreements import store as agreements
from shared.db.engine import Tx
from shared.domain.agreement import Agreement
from shared.domain.errors import NotFound
from shared.http.auth import require_viewer
from shared.http.cursor import read_cursor, read_position, write_cursor
from shared.http.fields import Cursor, Limit, Text
from shared.http.responses import json_response
from shared.runtime.service import Platform

MAX_RECORDED = 5000


def router(platform: Platform, state: Callable[[], Mapping[str, Any]]) -> APIRouter:
    """The routes. `state` describes the agreement in force."""
    database = platform.db
    routes = APIRouter(dependencies=[require_viewer(platform.settings, platform.keys)])

    @routes.get("/v1/leads/{lead_id}/proof")
    async def proof(lead_id: Text, limit: Limit = 200, cursor: Cursor | None = None) -> Response:
        """The newest verdicts on this lead with their inputs, oldest first; with `cursor`, those before them. Each is
        re-derived for this response; `follows` tells whether the result was the same, and `text` explains the verdict
        in words.
        """
        async with database.read() as tx:
            found = await _proofs(tx, lead_id, limit=limit + 1, before=_version(cursor))
            proofs = found[-limit:]
            verdicts = [_explained(each, await agreements.by_hash(tx, each.agreement.hash), lead_id) for each in proofs]
        older = write_cursor(proofs[0].decided_at, str(proofs[0].lead_version)) if len(found) > limit else None
        return json_response(ProofsView(lead_id, verdicts, older))

    @routes.get("/v1/leads/{lead_id}/record")
    async def whole(lead_id: Text) -> Response:
        """The record from which `./baton lead explain --offline` re-derives every verdict, or the newest 5,000."""
        async with database.read() as tx:
            proofs = await _proofs(tx, lead_id, limit=MAX_RECORDED)
            texts = {}
            for each in {proof.agreement.hash for proof in proofs}:
                found = await agreements.by_hash(tx, each)
                texts[each] = AgreementText(found.text, found.files, found.holidays)
        named = {"content-disposition": f'attachment; filename="{lead_id}.record"'}
        content = encode(ProofRecord(lead_id, tuple(proofs), texts))
        return Response(content, media_type="application/octet-stream", headers=named)

    @routes.get("/v1/agreement")
    async def agreement() -> Response:
        """The agreement in force, its versions, and the errors in a changed file."""
        return json_response(state())

    return routes


async def _proofs(tx: Tx, lead_id: str, *, limit: int, before: int | None = None) -> list[Proof]:
    proofs = await record.proofs_of(tx, lead_id, limit=limit, before=before)
    if not proofs:
        raise NotFound(f"There is no verdict on a lead {lead_id!r}.")
    return proofs


def _version(cursor: str | None) -> int | None:
    found = read_cursor(cursor)
    return read_position(found[1]) if found is not None else None


def _explained(proof: Proof, agreement: Agreement, lead_id: str) -> dict[str, Any]:
    differing = differences(proof, agreement)
    shown = explained(proof, agreement)
    text = proof_text(shown, lead_id, differing)
    return {**shown, "follows": not differing, "differences": differing, "text": text}

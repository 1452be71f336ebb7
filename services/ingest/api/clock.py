"""`POST /v1/clock/accept`: an operator takes the clock of this machine as right."""

import msgspec

from services.ingest.api.batch import authorised
from services.ingest.api.request import Request, endpoint
from services.ingest.spool.writer import Spool
from shared.http.asgi import ASGIApp, Send, send_json
from shared.http.keys import Keys


class ClockAccepted(msgspec.Struct, frozen=True):
    """The ingest instance whose clock counts as right."""

    instance: str
    clock: str = "accepted"


def clock_endpoint(*, spool: Spool, keys: Keys) -> ASGIApp:
    """`POST /v1/clock/accept`, for keys with the scope `operate`: this machine's clock is right, though it was
    stepped.
    """

    async def serve(request: Request, send: Send) -> None:
        authorised(request, keys, "operate")
        await spool.accept_clock()
        await send_json(send, 200, msgspec.json.encode(ClockAccepted(spool.instance)))

    return endpoint(serve)

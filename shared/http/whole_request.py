"""Responses wait until the request has been read."""

from shared.http.asgi import Message, Receive, Scope, Send

MAX_REST = 2 * 1024 * 1024
"""In bytes. The rest of a longer body is not read."""


class WholeRequest:
    """The two ends of a request, for an app that may respond before it has read the body.

    A server that closes a connection with unread data resets it: the client, or a proxy before it, may then lose the
    response and know nothing of the reason. So the rest of the body is read and dropped before a response begins.
    How long and how slow it may be is limited by the connection.
    """

    __slots__ = ("_receive", "_scope", "_send", "_unread")

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._unread = True

    async def receive(self) -> Message:
        """The next part of the body, or that the client disconnected."""
        message = await self._receive()
        self._unread = message.get("more_body", False)
        return message

    async def send(self, message: Message) -> None:
        """Send a part of the response."""
        if self._unread and message["type"] == "http.response.start" and self._rest_comes():
            while self._unread:
                await self.receive()
        await self._send(message)

    def _rest_comes(self) -> bool:
        headers = dict(self._scope["headers"])
        length = headers.get(b"content-length", b"0")
        # Who expects "100 Continue" sends the body only after that.
        return b"expect" not in headers and length.isdigit() and int(length[:18]) <= MAX_REST

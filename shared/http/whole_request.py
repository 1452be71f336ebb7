"""Connections stay open until the request has been read."""

from shared.http.asgi import Message, Receive, Scope, Send

MAX_REST = 2 * 1024 * 1024
"""In bytes. The rest of a longer body is not read: connections do not let it through either."""


class WholeRequest:
    """The two ends of a request, for an app that may respond before it has read the body.

    A server that closes a connection with unread data resets it: the client, or a proxy before it, may then lose the
    response and know nothing of the reason. So the rest of the body is read and dropped before a response ends. How
    long and how slow it may be is limited by the connection.
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
        """Send a part of the response. All of it goes out at once; only its end waits, unless a header closes."""
        if message["type"] == "http.response.start" and (b"connection", b"close") in message.get("headers", ()):
            self._unread = False
        ends = message["type"] == "http.response.body" and not message.get("more_body", False)
        if ends and self._unread and self._rest_comes():
            await self._send({**message, "more_body": True})
            while self._unread:
                await self.receive()
            message = {"type": "http.response.body"}
        await self._send(message)

    def _rest_comes(self) -> bool:
        headers = dict(self._scope["headers"])
        length = headers.get(b"content-length", b"")
        comes = b"transfer-encoding" in headers or (length.isdigit() and 0 < int(length[:18]) <= MAX_REST)
        # Who expects "100 Continue" sends the body only after that.
        return comes and b"expect" not in headers

"""Apprise sends to a real receiver in a process of its own, within its time, and not to addresses that are refused."""

import json
from typing import Any

import pytest

from services.delivery.channels import apprise as module
from services.delivery.channels.apprise import AppriseSender
from services.delivery.channels.apprise_process import Guard, Parcel
from services.delivery.channels.credentials import Credentials
from services.delivery.domain.outcome import Unsendable
from tests.kit.notices import HOSTILE, hostile, notice
from tests.kit.subscribers import Receiver, Seen, receiving

LOCAL = AppriseSender(allow_loopback=True, deadline_s=120)


def url_of(receiver: Receiver) -> Credentials:
    url = "json" + receiver.url.removeprefix("http")
    return Credentials({"url": url}, (url,))


async def test_a_receiver_gets_the_message_once_and_what_it_refuses_is_tried_again() -> None:
    async with receiving() as receiver:
        taken = await LOCAL.send(notice(), url_of(receiver))
        [seen] = receiver.seen
    async with receiving(500) as receiver:
        refused = await LOCAL.send(hostile(), url_of(receiver))
        assert len(receiver.seen) == 1
    said = json.loads(seen.body)
    assert (taken.state, said["type"]) == ("taken", "failure")
    assert said["title"] == "Overdue: first response, Jo Doe of Initech, was due Fri 27 Nov 10:05 CET"
    assert "> Can we talk today?\n> We decide on Monday." in said["message"]
    assert "Acknowledge: https://baton.example/a/ack?t=abc&x=1" in said["message"]
    assert (refused.state, refused.why) == ("retry", "apprise: the service did not take it")


async def test_nothing_is_sent_to_an_address_that_is_not_public_nor_to_this_machine() -> None:
    async with receiving() as receiver:
        outcome = await AppriseSender(deadline_s=120).send(notice(), url_of(receiver))
        assert receiver.seen == []
    assert (outcome.state, "not public" in outcome.why) == ("failed", True)
    for url in ("syslog://", "nonsense://secret@host"):
        unknown = await AppriseSender(deadline_s=120).send(notice(), Credentials({"url": url}, (url,)))
        assert (unknown.state, "secret" in unknown.why) == ("failed", False)


async def test_a_receiver_that_hangs_costs_the_deadline_and_leaves_no_process() -> None:
    async def hang(_seen: Seen) -> Any:
        raise AssertionError("never asked, since the deadline is shorter than a start")

    async with receiving() as receiver:
        receiver.reply = hang
        outcome = await AppriseSender(allow_loopback=True, deadline_s=0.01).send(notice(), url_of(receiver))
    assert (outcome.state, outcome.why) == ("retry", "apprise: no answer within 0.01 s")


async def test_without_the_package_or_a_url_nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Unsendable, match="`url` is missing"):
        await LOCAL.send(notice(), Credentials({}, ()))
    monkeypatch.setattr(module, "find_spec", lambda _name: None)
    with pytest.raises(Unsendable, match="requirements-apprise"):
        await LOCAL.send(notice(), Credentials({"url": "json://x"}, ()))


@pytest.mark.parametrize(
    ("event", "arguments", "allowed"),
    [
        ("socket.connect", (None, ("93.184.215.14", 443)), True),
        ("socket.connect", (None, ("169.254.169.254", 80)), False),
        ("socket.connect", (None, ("10.0.0.1", 443)), False),
        ("socket.connect", (None, ("a-name-that-the-system-resolves", 443)), False),
        ("socket.connect", (None, "/run/docker.sock"), False),
        ("socket.sendto", (None, ("::1", 443, 0, 0)), False),
        ("socket.connect", (None, ("127.0.0.53", 53)), True),
        ("subprocess.Popen", ("notify-send",), False),
        ("open", ("file",), True),
    ],
)
def test_the_guard_of_the_process_sees_each_way_out(event: str, arguments: tuple[Any, ...], allowed: bool) -> None:
    guard = Guard(Parcel(url="", title="", body="", kind="info", allow_loopback=False, internal=()))
    if allowed:
        guard.hook(event, arguments)
    else:
        with pytest.raises(OSError, match="refused"):
            guard.hook(event, arguments)
    assert guard.refused is not allowed


def test_a_host_in_the_operators_network_may_be_private_and_no_other() -> None:
    parcel = Parcel(url=HOSTILE, title="", body="", kind="info", allow_loopback=False, internal=("10.0.0.7",))
    guard = Guard(parcel)
    guard.resolve("10.0.0.7", 443)
    guard.resolve("10.0.0.8", 443)
    guard.hook("socket.connect", (None, ("10.0.0.7", 443)))
    with pytest.raises(OSError, match="refused"):
        guard.hook("socket.connect", (None, ("10.0.0.8", 443)))
    assert HOSTILE not in repr(parcel)

from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.delivery.channels.mail import MailServer, mail_server, message
from services.delivery.domain.outcome import Unsendable
from tests.kit.notices import HOSTILE, hostile, notice

SENDER, TO = "baton@acme.example", "mia@acme.example"
HEADERS = {"Subject", "From", "To", "Date", "Message-ID", "References", "Auto-Submitted", "Importance", "MIME-Version", "Content-Type"}  # fmt: skip # noqa: E501


@given(st.text())
@example(HOSTILE)
@example("\r\nBcc: x@example.com\r\n\r\n")
def test_no_text_adds_a_header_or_a_part(text: str) -> None:
    sent = message(hostile(text), SENDER, TO).as_bytes(policy=SMTP)
    got = message_from_bytes(sent, _class=EmailMessage, policy=SMTP)
    assert set(got.keys()) == HEADERS
    assert [part.get_content_type() for part in got.iter_parts()] == ["text/plain", "text/html"]


@pytest.mark.parametrize(
    "address",
    ["", "mia", "mia@", "@acme.example", "a@b c", "a@b, x@y", "a@b\r\nRCPT TO:<x@y>", "Mia <mia@acme.example>", "a@b>"],
)
def test_what_is_no_address_is_refused_without_being_shown(address: str) -> None:
    with pytest.raises(Unsendable) as refused:
        message(notice(), SENDER, address)
    assert str(refused.value) == "the recipient's address is not an e-mail address"


def test_the_address_of_the_server_says_how_it_is_spoken_to() -> None:
    assert mail_server("smtp://mail.acme.example", SENDER) == MailServer("mail.acme.example", 587, True, SENDER)
    assert mail_server("smtps://u%40x:p%2Fw@mail.acme.example:2465/", SENDER) == MailServer(
        "mail.acme.example", 2465, False, SENDER, "u@x", "p/w"
    )


@pytest.mark.parametrize(
    "url", ["", "mail.acme.example", "http://mail", "smtp://", "smtp://a:99999", "smtp://a/b", "smtp://["]
)
def test_another_address_of_a_server_is_refused_without_being_shown(url: str) -> None:
    with pytest.raises(Unsendable, match="must look like smtps://"):
        mail_server(url, SENDER)


def test_two_attempts_are_one_message_and_two_notices_one_thread() -> None:
    first, again, other = (message(notice(notice_id=name), SENDER, TO) for name in ("nt_1", "nt_1", "nt_2"))
    assert first["Message-ID"] == again["Message-ID"] != other["Message-ID"]
    assert first["References"] == other["References"]

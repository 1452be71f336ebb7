"""What is stored of what a buyer wrote and read: the latest, bounded, in any order, and gone when it is erased."""

import doctest
from itertools import permutations

from services.delivery.domain import said as module
from services.delivery.domain.said import LONGEST_MESSAGE, MOST_READ, Said, erased, together, with_inquiry
from shared.domain.events import InquiryReceived
from shared.domain.lead import Signal
from tests.kit.events import after, inquiry

FIRST = inquiry(
    message=" Can we talk? ", page_url="https://acme.example/demo/?email=jo@example.com", accepted_at=after(0)
)
SECOND = inquiry(
    number=2, message="We decide on Monday.", page_url="https://acme.example/pricing", accepted_at=after(5)
)
DOWNLOAD = inquiry(
    number=3, campaign="roi", accepted_at=after(9), signals=(Signal(kind="view", at=after(8), path="/roi"),)
)


def known(*events: InquiryReceived) -> Said:
    found = Said()
    for event in events:
        found = with_inquiry(found, event)
    return found


def test_the_examples_hold() -> None:
    assert doctest.testmod(module).failed == 0


def test_the_latest_inquiry_counts_and_the_latest_words_whatever_is_read_first() -> None:
    found = {known(*order) for order in permutations((FIRST, SECOND, DOWNLOAD))}
    [only] = found
    assert (only.wrote, only.page, only.campaign, only.read) == ("We decide on Monday.", "", "roi", ("/roi",))
    assert known(FIRST).page == "acme.example/demo"


def test_a_test_and_an_inquiry_without_a_message_replace_no_words() -> None:
    assert known(FIRST, inquiry(test=True, message="Ping", accepted_at=after(3))).wrote == "Can we talk?"
    assert known(FIRST, inquiry(message="  ", accepted_at=after(3))).wrote == "Can we talk?"


def test_what_is_stored_is_bounded_and_a_broken_address_is_no_page() -> None:
    views = tuple(Signal(kind="view", at=after(n), path=f"/{n}") for n in range(50))
    long = known(inquiry(message="x" * 99_999, page_url="http://[", campaign="y" * 999, signals=views))
    assert (len(long.wrote), long.page, len(long.campaign), len(long.read)) == (LONGEST_MESSAGE, "", 200, MOST_READ)
    assert long.read[0] == "/49"


def test_what_was_erased_stays_erased_when_an_older_inquiry_is_read_later() -> None:
    gone = erased(known(FIRST), after(1))
    assert with_inquiry(gone, FIRST) == gone == Said(erased_at=after(1))
    assert with_inquiry(gone, SECOND).wrote == "We decide on Monday."
    assert erased(known(FIRST, SECOND), after(1)).wrote == "We decide on Monday."


def test_what_a_person_said_under_two_ids_is_the_latest_of_each_part() -> None:
    assert together([known(SECOND), known(DOWNLOAD), Said()]) == known(SECOND, DOWNLOAD)
    assert together([]) == Said()

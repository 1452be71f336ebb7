"""Names, reasons and instants of events, for people."""

from datetime import datetime


def words(name: str) -> str:
    """A name from an event as words.

    >>> words("demo_request")
    'demo request'
    """
    return name.replace("_", " ").replace(".", " ")


def plain(text: str) -> str:
    """A reason in words: codes become words, sentences stay unchanged.

    >>> plain("nobody_available"), plain("excluded: wrong_role"), plain("ann gave ld_1 back")
    ('nobody available', 'excluded: wrong role', 'ann gave ld_1 back')
    """
    return words(text) if " " not in text or text.startswith(("excluded: ", "consent: ")) else text


def moment(at: datetime) -> str:
    """An instant, to the minute."""
    return f"{at:%Y-%m-%d %H:%M} UTC"


def sentence(text: str) -> str:
    """A reason as a sentence of its own."""
    shown = plain(text)
    return shown[:1].upper() + shown[1:] + ("" if shown.endswith(".") else ".")

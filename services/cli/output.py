"""How a command can say what it found, and the one way to a terminal: nothing from outside reaches it raw."""

import sys
from enum import StrEnum

from shared.domain.printable import printable, printable_json


def show(text: str, *, as_json: bool = False) -> None:
    """Write the answer of a command to stdout, with a line's end. JSON keeps its values."""
    safe = printable_json(text) if as_json else printable(text, lines=True)
    sys.stdout.write(f"{safe}\n")


def complain(*lines: str) -> None:
    """Write what is wrong, and what to do, to stderr."""
    text = "\n  ".join(lines)
    sys.stderr.write(printable(f"baton: {text}\n", lines=True))


class Page(StrEnum):
    """`text` for a terminal, `html` for a page to read and print."""

    TEXT = "text"
    HTML = "html"


class OutputFormat(StrEnum):
    """`text` for people, `json` for programs."""

    TEXT = "text"
    JSON = "json"


class Format(StrEnum):
    """`text` for people and editors, `json` for programs, `github` for annotations of a change on GitHub."""

    TEXT = "text"
    JSON = "json"
    GITHUB = "github"

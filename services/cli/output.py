"""Output formats, and safe output to a terminal: control characters from outside are written out."""

import sys
from enum import StrEnum

from shared.domain.printable import printable, printable_json


def show(text: str, *, as_json: bool = False) -> None:
    """Write a result to stdout, with a newline. JSON values stay unchanged."""
    safe = printable_json(text) if as_json else printable(text, lines=True)
    sys.stdout.write(f"{safe}\n")


def complain(*lines: str) -> None:
    """Write a problem and what to do about it to stderr."""
    text = "\n  ".join(lines)
    sys.stderr.write(printable(f"baton: {text}\n", lines=True))


class Page(StrEnum):
    """`text` for a terminal, `html` for a page to print."""

    TEXT = "text"
    HTML = "html"


class OutputFormat(StrEnum):
    """`text` for people, `json` for programs."""

    TEXT = "text"
    JSON = "json"


class Format(StrEnum):
    """`text` for people and editors, `json` for programs, `github` for annotations on GitHub."""

    TEXT = "text"
    JSON = "json"
    GITHUB = "github"

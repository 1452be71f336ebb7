"""How a command can say what it found."""

from enum import StrEnum


class Page(StrEnum):
    """`text` for a terminal, `html` for a page to read and print."""

    TEXT = "text"
    HTML = "html"


class Answer(StrEnum):
    """`text` for people, `json` for programs."""

    TEXT = "text"
    JSON = "json"


class Format(StrEnum):
    """`text` for people and editors, `json` for programs, `github` for annotations of a change on GitHub."""

    TEXT = "text"
    JSON = "json"
    GITHUB = "github"

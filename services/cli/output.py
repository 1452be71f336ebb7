"""How a command can say what it found."""

from enum import StrEnum


class Format(StrEnum):
    """`text` for people and editors, `json` for programs, `github` for annotations of a change on GitHub."""

    TEXT = "text"
    JSON = "json"
    GITHUB = "github"

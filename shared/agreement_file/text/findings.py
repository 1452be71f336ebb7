"""Findings: errors and warnings in an agreement file, with line and column.

All code that reads the file reports here and continues, so that one run finds as much as possible.
"""

import difflib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from itertools import islice

from shared.domain.errors import Misconfigured

MAX_GUESSED_KEYS = 200
"""Keys of one mapping that are compared with each missing one: comparing all takes minutes for a large file."""
LONGEST_GUESSED = 100
"""Names longer than this resemble none that is known."""

Path = tuple[str | int, ...]
"""The way to a value from the top of the file: keys, and places in lists counted from 0."""

Position = tuple[int, int]
"""Line and column, both counted from 1."""


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """An error or warning. `code` is stable; `message` says what is wrong and how to fix it.

    `file` is set if it is in a draft next to the agreement.
    """

    line: int
    column: int
    code: str
    message: str
    file: str = ""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.message}".removeprefix(":")


def in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """As a reader goes through the files: the agreement first, then each draft."""
    return tuple(sorted(findings, key=lambda finding: (finding.file, finding)))


class AgreementRefused(Misconfigured):
    """The file can't take effect. `findings` are in the order of the file; `detail` has one line for each."""

    title = "The agreement was refused"

    def __init__(self, name: str, findings: Iterable[Finding]) -> None:
        self.name = name
        self.findings = in_order(findings)
        super().__init__("\n".join(str(finding) if finding.file else f"{name}:{finding}" for finding in self.findings))


@dataclass(frozen=True, slots=True)
class Positions:
    """The positions of keys and values in the text, and the quotes of single-line texts."""

    keys: Mapping[Path, Position]
    values: Mapping[Path, Position]
    quotes: Mapping[Path, str]

    def of_value(self, path: Path) -> Position:
        """Where the value at `path` begins, or else the nearest thing around it."""
        while path and path not in self.values:
            path = path[:-1]
        return self.values.get(path, (1, 1))

    def within(self, path: Path, text: str, column: int) -> Position:
        """The position of `column` (from 1) of the text at `path`, or of its beginning if that is unknown."""
        line, start = self.of_value(path)
        quote = self.quotes.get(path)
        if quote is None:
            return line, start
        before = text[: column - 1]
        doubled = before.count("'") if quote == "'" else 0
        return line, start + len(quote) + len(before) + doubled

    def of_key(self, path: Path) -> Position:
        """The position of the key at the end of `path`; for a list item, where the item begins."""
        return self.keys.get(path) or self.of_value(path)


class Findings:
    """Collects refusals and warnings by path while a file is read."""

    def __init__(self, positions: Positions) -> None:
        self.positions = positions
        self.refusals: set[Finding] = set()
        self.warnings: set[Finding] = set()

    def refuse(self, path: Path, code: str, message: str, *, key: bool = False) -> None:
        """The agreement does not load. `key` points at the key instead of the value."""
        self.refusals.add(self._finding(path, code, message, key))

    def refuse_within(self, path: Path, code: str, message: str, text: str, column: int) -> None:
        """Like `refuse`, at a column of the `text` at `path`."""
        self.refusals.add(Finding(*self.positions.within(path, text, column), code, message))

    def warn(self, path: Path, code: str, message: str, *, key: bool = False) -> None:
        """Odd, but no lead is in danger."""
        self.warnings.add(self._finding(path, code, message, key))

    def refuse_unknown(self, path: Path, what: str, name: str, known: Iterable[str], *, key: bool = False) -> None:
        """`name` should have been one of `known`; the nearest of them is proposed."""
        self.refuse(path, f"unknown_{what}", f"unknown {what} `{name}`{proposal(name, known)}", key=key)

    def refuse_repeated(self, names: Iterable[str], path: Path, *key: str) -> None:
        """Every name in the list at `path` that stands there before; it is the value of `key` of an item, if given."""
        seen: set[str] = set()
        for index, name in enumerate(names):
            if name in seen:
                self.refuse((*path, index, *key), "duplicate", f"`{name}` is listed twice: keep one")
            seen.add(name)

    def _finding(self, path: Path, code: str, message: str, key: bool) -> Finding:
        line, column = self.positions.of_key(path) if key else self.positions.of_value(path)
        return Finding(line, column, code, message)


def proposal(name: str, known: Iterable[str]) -> str:
    """A suggestion for an unknown name: the nearest known one, or all of them if they are few."""
    names = list(known)
    near = _nearest(name, names)
    if near:
        return f"; did you mean `{near}`?"
    if not names:
        return "; there are none"
    return f"; known: {', '.join(names)}" if len(names) <= 16 else ""


def misspelt(name: str, written: Iterable[str], known: Collection[str]) -> bool:
    """Whether a key that is not known, among the first of those `written`, is probably a misspelling of `name`."""
    return any(key not in known and _nearest(key, known) == name for key in islice(written, MAX_GUESSED_KEYS))


def _nearest(name: str, known: Iterable[str]) -> str | None:
    if len(name) > LONGEST_GUESSED:
        return None
    by_folded = {each.casefold(): each for each in known}
    near = difflib.get_close_matches(name.casefold(), by_folded, n=1)
    return by_folded[near[0]] if near else None

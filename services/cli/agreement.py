"""Loads agreement files for the commands, and formats findings for people, programs and GitHub."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgspec

from services.cli.output import Format
from services.delivery.channels.apprise import installed
from services.delivery.domain.channel_needs import missing
from shared import agreement_file
from shared.agreement_file import AgreementRefused, Finding
from shared.clock import SystemClock
from shared.domain.agreement import Agreement
from shared.domain.errors import Misconfigured

_MAIL_SERVER = ("BATON_DELIVERY_MAIL_SERVER", "BATON_DELIVERY_MAIL_SERVER_FILE")
_ELSEWHERE = "This command sees only its own environment; where delivery runs, it may be there."


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The errors and warnings found in `file`. `title` names the agreement if there are no errors. `notes` say what its
    channels need that is not here.
    """

    file: Path
    errors: tuple[Finding, ...]
    warnings: tuple[Finding, ...]
    title: str = ""
    notes: tuple[str, ...] = ()

    @property
    def refused(self) -> bool:
        """Whether the agreement cannot take effect."""
        return bool(self.errors)

    def lines(self) -> Iterator[tuple[str, Finding]]:
        """Every finding with its severity, errors first."""
        yield from (("error", finding) for finding in self.errors)
        yield from (("warning", finding) for finding in self.warnings)


def check_file(file: Path, environ: Mapping[str, str] = MappingProxyType({})) -> CheckResult:
    """Check an agreement file; `environ` may say where e-mails are handed in. Raises `Misconfigured` if it cannot be
    read.
    """
    try:
        loaded = agreement_file.load(file, SystemClock().now())
    except AgreementRefused as refused:
        return CheckResult(file, tuple(refused.findings), ())
    good = loaded.agreement
    notes = tuple(missing(good, mails=any(name in environ for name in _MAIL_SERVER), apprise=installed()))
    return CheckResult(file, (), loaded.warnings, f"{good.name} version {good.version}, {good.hash}", notes)


def load_file(file: Path) -> Agreement:
    """The agreement in a file. Raises `Misconfigured` if it is refused or cannot be read."""
    try:
        return agreement_file.load(file).agreement
    except AgreementRefused as refused:
        many = _counted(len(refused.findings), "error")
        raise Misconfigured(
            f"{file} is refused, with {many}. Run `baton agreement check {file}` to list them."
        ) from None


def render(verdict: CheckResult, layout: Format) -> str:
    """The findings in a format."""
    if layout is Format.JSON:
        return msgspec.json.format(msgspec.json.encode(_document(verdict)), indent=2).decode()
    line = _github if layout is Format.GITHUB else _text
    lines = [line(verdict.file, severity, finding) for severity, finding in verdict.lines()]
    if layout is Format.TEXT:
        lines.append(f"{verdict.file}: {_summary(verdict)}")
    return "\n".join(lines)


def notes(verdict: CheckResult) -> Iterator[str]:
    """What its channels need that this command does not see, each as a line."""
    yield from (f"note: {note}. {_ELSEWHERE}" for note in verdict.notes)


def _summary(verdict: CheckResult) -> str:
    odd = _counted(len(verdict.warnings), "warning")
    if verdict.refused:
        return f"refused, {_counted(len(verdict.errors), 'error')}"
    return f"{verdict.title} can take effect" + (f", with {odd}" if verdict.warnings else "")


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" + ("" if number == 1 else "s")


def _place(file: Path, finding: Finding) -> str:
    """The file of a finding: the agreement, or a draft next to it."""
    return finding.file or str(file)


def _document(verdict: CheckResult) -> dict[str, Any]:
    return {
        "file": str(verdict.file),
        "ok": not verdict.refused,
        "errors": len(verdict.errors),
        "warnings": len(verdict.warnings),
        "findings": [
            {
                "severity": severity,
                "file": _place(verdict.file, finding),
                "line": finding.line,
                "column": finding.column,
                "code": finding.code,
                "message": finding.message,
            }
            for severity, finding in verdict.lines()
        ],
    }


def _text(file: Path, severity: str, finding: Finding) -> str:
    word = "warning: " if severity == "warning" else ""
    return f"{_place(file, finding)}:{finding.line}:{finding.column}: {word}{finding.message} [{finding.code}]"


def _github(file: Path, severity: str, finding: Finding) -> str:
    """A workflow command, escaped as GitHub requires.

    https://docs.github.com/en/actions/reference/workflow-commands-for-github-actions
    """
    place = f"file={_escaped(_place(file, finding), ':,')},line={finding.line},col={finding.column}"
    return f"::{severity} {place},title={_escaped(finding.code, ':,')}::{_escaped(finding.message)}"


def _escaped(text: str, also: str = "") -> str:
    return "".join(f"%{ord(sign):02X}" if sign in "%\r\n" + also else sign for sign in text)

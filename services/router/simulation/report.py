"""The result of a simulation as text for a terminal, a page to print, and a CSV file with every lead that differs.

Buyers are identified by lead id only.
"""

import csv
import html
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TextIO

from services.router.simulation.summary import Change, LeadDifference, LeadOutcome, Summary
from shared.bus.envelope import instant
from shared.domain.printable import printable

COLUMNS = ("stage", "state", "owner", "pool", "rule", "respond_by", "breached")
HEAD = (
    *("lead_id", "received_at", "channel", "campaign", "differs", "turn_only"),
    *(f"{column}_{side}" for column in COLUMNS for side in ("before", "after")),
    *("why_before", "why_after"),
)

_STYLE = """
body { max-width: 70rem; margin: 2rem auto; padding: 0 1rem; color: #1d211f; background: #fff;
  font: 15px/1.5 system-ui, "Segoe UI", Roboto, "Liberation Sans", sans-serif; }
h1 { font-size: 1.7rem; margin: 0 0 .2rem; } h2 { font-size: 1.1rem; margin: 2rem 0 .4rem; break-after: avoid; }
p { margin: .3rem 0; } .sub { color: #5c635f; }
table { border-collapse: collapse; width: 100%; margin: .6rem 0; }
th, td { text-align: left; vertical-align: top; padding: .35rem .8rem .35rem 0; border-top: 1px solid #ddd;
  overflow-wrap: anywhere; font-weight: 400; }
thead th { border-top: 0; color: #5c635f; font-size: .85rem; } tr { break-inside: avoid; }
@media print { body { margin: 0; max-width: none; font-size: 10pt; } }
"""

_BEGIN_A_FORMULA = ("=", "+", "-", "@", "|", "%", "\uff1d", "\uff0b", "\uff0d", "\uff20")

Table = tuple[str, Sequence[str], Sequence[Sequence[str]]]
"""A title, the names of the columns, the rows."""


class DifferenceFile:
    """Writes differing leads to `file` as CSV (RFC 4180), one by one, under a line of column names."""

    def __init__(self, file: TextIO) -> None:
        self._writer = csv.writer(file)
        self._writer.writerow(HEAD)

    def add(self, found: LeadDifference) -> None:
        """One more line."""
        pairs = zip(_cells(found.before), _cells(found.after), strict=True)
        line = (
            found.lead_id,
            instant(found.received_at),
            found.channel or "",
            found.campaign or "",
            " ".join(found.fields),
            "yes" if found.turn_only else "no",
            *(cell for pair in pairs for cell in pair),
            found.before.why,
            found.after.why,
        )
        self._writer.writerow([_harmless(cell) for cell in line])


def text(summary: Summary) -> str:
    """The result, for a terminal."""
    blocks = [[_title(summary), *sentences(summary)]]
    blocks += [[title, *_aligned([head, *rows])] for title, head, rows in tables(summary) if rows]
    return printable("\n\n".join("\n".join(block) for block in blocks), lines=True)


def page(summary: Summary) -> str:
    """The same as one HTML page that needs nothing else."""
    title = _escaped(_title(summary))
    lines = "".join(f"<p>{_escaped(sentence)}</p>" for sentence in sentences(summary))
    body = "\n".join(_html(table) for table in tables(summary) if table[2])
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{title}</title>\n'
        f"<style>{_STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n{lines}\n{body}\n</body>\n</html>\n"
    )


def sentences(summary: Summary) -> list[str]:
    """The totals in sentences."""
    span = f"until {instant(summary.until)}"
    if summary.since is not None:
        span = f"from {instant(summary.since)} {span}"
    lines = [f"{summary.leads:,} leads that asked {span}; {summary.differ:,} of them differ."]
    if summary.differ:
        parts = ", ".join(f"{name} {count:,}" for name, count in sorted(summary.differing.items()))
        lines.append(f"What differs: {parts}.")
    if summary.turn_only:
        lines.append(f"{summary.turn_only:,} of them only because it was someone else's turn in the same pool.")
    if summary.refused:
        lines.append(f"{summary.refused:,} moves that people ordered name someone who could not have had the lead.")
    return lines


def tables(summary: Summary) -> Iterator[Table]:
    """The sums in groups, then the first leads that differ."""
    columns = ("", "before", "after", "missed a promise before", "after")
    yield "In all", columns, [_counted("leads", summary.total)]
    groups = (("By stage", summary.stages), ("By rep", summary.reps), ("By pool", summary.pools))
    for title, group in groups:
        yield title, columns, [_counted(name, change) for name, change in sorted(group.items())]
    head = ("", "leads", "qualified before", "after", "missed a promise before", "after")
    rows = [(name, *map(_number, _of_channel(change))) for name, change in sorted(summary.channels.items())]
    yield "By channel", head, rows
    leads = [(each.lead_id, ", ".join(each.fields), _shown(each.before), _shown(each.after)) for each in summary.first]
    yield f"The first {len(leads)} leads that differ", ("lead", "differs", "before", "after"), leads


def _title(summary: Summary) -> str:
    return f"{summary.before} -> {summary.after}"


def _counted(name: str, change: Change) -> tuple[str, ...]:
    before, after = change.before, change.after
    return (name, *map(_number, (before.leads, after.leads, before.breached, after.breached)))


def _of_channel(change: Change) -> tuple[int, ...]:
    before, after = change.before, change.after
    return before.leads, before.qualified, after.qualified, before.breached, after.breached


def _shown(outcome: LeadOutcome) -> str:
    who = f" {outcome.owner}" if outcome.owner else ""
    where = f" ({outcome.pool})" if outcome.pool else ""
    by = f", by {instant(outcome.respond_by)}" if outcome.respond_by else ""
    missed = f", missed {', '.join(outcome.breached)}" if outcome.breached else ""
    return f"{outcome.state} {outcome.stage}{who}{where}{by}{missed}: {outcome.why}"


def _cells(outcome: LeadOutcome) -> list[str]:
    return [_cell(getattr(outcome, column)) for column in COLUMNS]


def _cell(value: object) -> str:
    if isinstance(value, datetime):
        return instant(value)
    return " ".join(value) if isinstance(value, tuple) else str(value or "")


def _harmless(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula (OWASP, "CSV Injection"): a campaign's name comes from outside."""
    shown = printable(cell)
    return f"'{shown}" if cell.strip()[:1] in _BEGIN_A_FORMULA else shown


def _escaped(words: str) -> str:
    return html.escape(printable(words))


def _number(count: int) -> str:
    return f"{count:,}"


def _aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [
            cell.rjust(width) if cell.replace(",", "").isdigit() else cell.ljust(width)
            for cell, width in zip(row, widths, strict=True)
        ]
        yield ("  " + "  ".join(cells)).rstrip()


def _html(table: Table) -> str:
    title, head, rows = table
    names = "".join(f'<th scope="col">{_escaped(name)}</th>' for name in head)
    lines = "".join("<tr>" + "".join(f"<td>{_escaped(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return (
        f"<section>\n<h2>{_escaped(title)}</h2>\n"
        f"<table><thead><tr>{names}</tr></thead><tbody>{lines}</tbody></table>\n</section>"
    )

"""`./baton agreement explain`: the agreement in plain sentences, as text or as an HTML page."""

import html
from collections.abc import Iterator, Sequence
from pathlib import Path
from textwrap import fill

from services.cli.agreement import load_file
from shared.agreement_text.explain import explained
from shared.agreement_text.section import Section, Table
from shared.domain.agreement import Agreement
from shared.domain.printable import printable

WIDTH = 100
_STYLE = """
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1d211f; background: #fff;
  font: 15px/1.5 system-ui, "Segoe UI", Roboto, "Liberation Sans", sans-serif; }
h1 { font-size: 1.7rem; margin: 0 0 .2rem; } h2 { font-size: 1.1rem; margin: 2rem 0 .4rem; break-after: avoid; }
p { margin: .3rem 0; } ol { padding-left: 1.6rem; } li { margin: .3rem 0; } .sub { color: #5c635f; }
table { border-collapse: collapse; width: 100%; margin: .6rem 0; }
th, td { text-align: left; vertical-align: top; padding: .35rem .8rem .35rem 0; border-top: 1px solid #ddd;
  overflow-wrap: anywhere; }
thead th { border-top: 0; color: #5c635f; font-weight: 500; font-size: .85rem; } tr { break-inside: avoid; }
@media print { body { margin: 0; max-width: none; font-size: 10.5pt; } }
"""


def explained_text(file: Path) -> str:
    """The agreement as text. Raises `Misconfigured` if it is refused or cannot be read."""
    agreement = load_file(file)
    return "\n\n".join("\n".join(_lines(section)) for section in explained(agreement))


def explained_page(file: Path) -> str:
    """The agreement as a self-contained HTML page. Raises `Misconfigured`."""
    agreement = load_file(file)
    sections = "\n".join(_section(section) for section in explained(agreement))
    title = _escaped(f"{agreement.name}, version {agreement.version}")
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{title}</title>\n'
        f"<style>{_STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n{_signed(agreement)}\n{sections}\n</body>\n</html>"
    )


def _escaped(words: str) -> str:
    return html.escape(printable(words))


def _signed(agreement: Agreement) -> str:
    return f'<p class="sub">Agreed between marketing and sales, in effect from {agreement.effective_from.date()}.</p>'


def _lines(section: Section) -> Iterator[str]:
    yield section.title
    yield "-" * len(section.title)
    for place, sentence in enumerate(section.sentences, 1):
        mark = f"{place}. " if section.ordered else ""
        yield fill(sentence, WIDTH, initial_indent=mark, subsequent_indent=" " * len(mark), break_long_words=False)
    if section.table:
        yield from _table_lines(section.table)


def _table_lines(table: Table) -> Iterator[str]:
    """Columns side by side if they fit, else each row as a list."""
    widths = [max(map(len, column)) for column in zip(table.head, *table.rows, strict=True)]
    if sum(widths) + 2 * len(widths) <= WIDTH:
        for row in (table.head, *table.rows):
            yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        return
    for row in table.rows:
        yield f"* {row[0]}"
        for name, cell in zip(table.head[1:], row[1:], strict=True):
            yield fill(f"{name}: {cell}", WIDTH, initial_indent="  ", subsequent_indent="    ", break_long_words=False)


def _section(section: Section) -> str:
    items = [_escaped(sentence) for sentence in section.sentences]
    if section.ordered:
        body = f"<ol>{''.join(f'<li>{item}</li>' for item in items)}</ol>"
    else:
        body = "".join(f"<p>{item}</p>" for item in items)
    return f"<section>\n<h2>{_escaped(section.title)}</h2>\n{body}{_table(section.table)}\n</section>"


def _table(table: Table | None) -> str:
    if table is None:
        return ""
    rows = "".join(f"<tr>{_cells(row)}</tr>" for row in table.rows)
    head = "".join(f'<th scope="col">{_escaped(cell)}</th>' for cell in table.head)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _cells(row: Sequence[str]) -> str:
    first, *others = (_escaped(cell) for cell in row)
    return f'<th scope="row">{first}</th>' + "".join(f"<td>{cell}</td>" for cell in others)

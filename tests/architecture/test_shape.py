"""Modules and functions stay short enough to read at once, and say what they promise."""

import ast

from tests.architecture.tree import CODE, functions, modules, own_lines, parsed, public_definitions, texts

SOFT, HARD, FUNCTION = 300, 400, 40

LONGER_FOR_A_REASON = {
    "shared/runtime/consume.py": "the way of one poll from the log to the commit, with each turn that it can take",
    "deploy/layout.py": "the order in which the parts of one layout start, wait and end",
    "shared/domain/events.py": "the whole vocabulary on one page",
    "shared/domain/agreement.py": "the agreement as one value, block by block, on one page",
    "services/cli/app.py": "all commands with their options, on one page",
    "services/router/domain/lead.py": "a lead with all that is remembered of it, and what changes it",
    "services/router/domain/proof.py": "what a proof has, what its verdict rests on, and how it reads",
    "services/router/domain/routing.py": "all that a router decides in one transaction, call by call",
    "services/router/simulation/replay.py": "what a replay takes from the record, and what falls due in it by itself",
    "services/scoreboard/domain/leads.py": "all that an event can change about a lead that is shown",
    "services/ingest/spool/file.py": "one file on disk with all its statements",
    "services/ingest/spool/writer.py": "all that may touch the file goes through its one thread",
}
"""Modules between the two limits. The reason is read in review; nothing goes beyond the hard limit."""


def _lines(name: str) -> int:
    return texts()[name].count("\n")


def test_no_module_is_longer_than_400_lines() -> None:
    too_long = {name: _lines(name) for name in modules(*CODE, "tests") if _lines(name) > HARD}
    assert not too_long, f"split these along their promises: {too_long}"


def test_a_module_over_300_lines_says_why() -> None:
    longer = {name: _lines(name) for name in modules(*CODE) if _lines(name) > SOFT and name not in LONGER_FOR_A_REASON}
    assert not longer, f"shorten these, or give the reason in LONGER_FOR_A_REASON: {longer}"


def test_the_list_of_long_modules_is_not_out_of_date() -> None:
    needless = [name for name in LONGER_FOR_A_REASON if name not in texts() or _lines(name) <= SOFT]
    assert not needless, f"take these out of LONGER_FOR_A_REASON: {needless}"


def test_no_function_has_more_than_40_lines() -> None:
    too_long = [
        f"{name}:{function.lineno} {function.name} has {own_lines(function)}"
        for name in modules(*CODE)
        for function in functions(name)
        if own_lines(function) > FUNCTION
    ]
    assert not too_long, "\n".join(too_long)


def test_every_module_says_what_it_promises() -> None:
    silent = [name for name in modules(*CODE) if not ast.get_docstring(parsed(name))]
    assert not silent, f"no docstring: {silent}"


def test_everything_public_says_what_it_promises() -> None:
    silent = [
        f"{name}:{node.lineno} {what}"
        for name in modules("shared", "services")
        for what, node in public_definitions(name)
        if not ast.get_docstring(node)
    ]
    assert not silent, "no docstring:\n" + "\n".join(silent)


def test_metrics_are_made_in_one_module_only() -> None:
    makers = ("Counter", "Gauge", "Histogram", "Summary")
    elsewhere = [
        f"{name}:{node.lineno}"
        for name in modules("shared", "services")
        if name != "shared/metrics.py"
        for node in ast.walk(parsed(name))
        if isinstance(node, ast.ImportFrom)
        and node.module == "prometheus_client"
        and any(alias.name in makers for alias in node.names)
    ]
    assert not elsewhere, f"list these metrics in shared/metrics.py: {elsewhere}"

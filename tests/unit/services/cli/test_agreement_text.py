"""Explaining, comparing and laying out agreement files from the command line."""

import json
import re
from pathlib import Path

import pytest

from services.cli.app import run
from tests.kit.agreements import agreement_text

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def agreed(tmp_path: Path) -> Path:
    file = tmp_path / "agreed.yaml"
    file.write_text(agreement_text())
    return file


@pytest.fixture
def draft(tmp_path: Path) -> Path:
    """The same with a shorter promise, a new weight, and markup where a name belongs."""
    text = agreement_text()
    for old, new in (
        ("within: 15 minutes", "within: 10 minutes"),
        ("{ann: 2, bob: 1}", "{ann: 2, bob: 2}"),
        ("asked for a demo", "<b>asked</b> & waited"),
    ):
        assert old in text
        text = text.replace(old, new)
    file = tmp_path / "draft.yaml"
    file.write_text(text)
    return file


@pytest.fixture
def refused(tmp_path: Path) -> Path:
    file = tmp_path / "refused.yaml"
    file.write_text(agreement_text().replace("version: 1\n", "version: one\ncurency: EUR\n"))
    return file


def test_explain_says_in_sentences_what_is_agreed(agreed: Path, capsys: Captured) -> None:
    assert run(["agreement", "explain", str(agreed)]) == 0
    output = capsys.readouterr().out
    assert "This is “test”, version 1." in output
    assert "1. “large”: A lead from a company with at least 1,000 employees goes to the pool alone." in output
    assert "ann 67 %, bob 33 %" in output
    assert max(map(len, output.splitlines())) <= 100


def test_explain_as_a_page_stands_alone_and_is_escaped(draft: Path, capsys: Captured) -> None:
    assert run(["agreement", "explain", str(draft), "--format", "html"]) == 0
    page = capsys.readouterr().out
    assert page.startswith("<!doctype html>")
    assert "&lt;b&gt;asked&lt;/b&gt; &amp; waited" in page
    assert "<b>" not in page
    assert "@media print" in page
    assert not re.search(r"<script|<link|<img|\bsrc=|@import|url\(", page)
    assert page.count("<section>") == page.count("</section>") == page.count("<h2>")


def test_diff_lists_changes_by_area_and_exits_with_1(agreed: Path, draft: Path, capsys: Captured) -> None:
    assert run(["agreement", "diff", str(agreed), str(draft)]) == 1
    output = capsys.readouterr().out.splitlines()
    assert output[output.index("Promises of sales") + 1] == (
        "  first response: the time is now 10 minutes of working time (was 15 minutes of working time), "
        "which is shorter"
    )
    assert "  pool “benelux”: bob's weight goes from 1 to 2, the share from 33 % to 50 %" in output


def test_diff_of_what_says_the_same_exits_with_0(agreed: Path, tmp_path: Path, capsys: Captured) -> None:
    other = tmp_path / "other.yaml"
    other.write_text("# signed by both\n" + agreement_text())
    assert run(["agreement", "diff", str(agreed), str(other)]) == 0
    assert capsys.readouterr().out == f"{agreed} and {other} mean the same.\n"


def test_programs_get_the_differences_as_json(agreed: Path, draft: Path, capsys: Captured) -> None:
    assert run(["agreement", "diff", str(agreed), str(draft), "--format", "json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert (document["old"], document["new"], document["same"]) == (str(agreed), str(draft), False)
    assert {"area": "Pools", "words": "pool “benelux”: ann's share goes from 67 % to 50 %"} in document["differences"]


@pytest.mark.parametrize("command", ["explain", "diff"])
def test_a_refused_file_is_two_lines_that_say_how_to_go_on(
    command: str, agreed: Path, refused: Path, capsys: Captured
) -> None:
    assert run(["agreement", command, *([str(agreed)] if command == "diff" else []), str(refused)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == [
        f"baton: {refused} is refused, with 2 errors.",
        f"  Run `baton agreement check {refused}` to list them.",
    ]


@pytest.fixture
def untidy(tmp_path: Path) -> Path:
    file = tmp_path / "untidy.yaml"
    file.write_text(agreement_text().replace("version: 1\n", "version:    1   # the first\n\n\n\n"))
    return file


def test_fmt_lays_a_file_out_again_and_keeps_what_it_says(agreed: Path, untidy: Path, capsys: Captured) -> None:
    before = untidy.read_text()
    untidy.chmod(0o640)
    assert run(["agreement", "fmt", str(untidy), "--check"]) == 1
    assert untidy.read_text() == before
    assert run(["agreement", "fmt", str(untidy)]) == 0
    assert untidy.read_text() != before
    assert "# the first" in untidy.read_text()
    assert untidy.stat().st_mode & 0o777 == 0o640
    assert sorted(file.name for file in untidy.parent.iterdir()) == ["agreed.yaml", "untidy.yaml"]
    assert run(["agreement", "fmt", str(untidy), "--check"]) == 0
    assert run(["agreement", "diff", str(agreed), str(untidy)]) == 0
    assert capsys.readouterr().out.splitlines()[:3] == [
        f"{untidy}: not formatted",
        f"{untidy}: reformatted",
        f"{untidy}: formatted",
    ]


def test_fmt_of_a_file_that_is_not_there_is_exit_code_2(tmp_path: Path, capsys: Captured) -> None:
    assert run(["agreement", "fmt", str(tmp_path / "none.yaml")]) == 2
    assert "there is no such file" in capsys.readouterr().err

"""The commands and their options. A command imports what it needs when it runs, so that help is fast.

Exit codes: 0 success, 1 the answer is no (an agreement is refused, a check failed), 2 the command could not run.
"""

import logging
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from services.cli import on_call
from services.cli.output import Format, OutputFormat, Page, complain, show
from shared.domain.errors import Problem

ROOT = Path(__file__).parents[2]

app = typer.Typer(
    name="baton",
    help="Baton, the lead hand-off service. Settings come from the environment: docs/running.md lists them.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
agreement = typer.Typer(no_args_is_help=True, help="The agreement between marketing and sales.")
keys = typer.Typer(no_args_is_help=True, help="Keys for the API.")
clock = typer.Typer(no_args_is_help=True, help="The clock that timestamps facts.")
lead = typer.Typer(no_args_is_help=True, help="The verdicts on a lead, and why; merge and split leads.")
topics = typer.Typer(no_args_is_help=True, help="Records that disappeared from the log before they were read.")
channels = typer.Typer(no_args_is_help=True, help="The channels on which people are notified.")
app.add_typer(topics, name="topics")
app.add_typer(agreement, name="agreement")
app.add_typer(keys, name="keys")
app.add_typer(lead, name="lead")
app.add_typer(clock, name="clock")
app.add_typer(channels, name="channels")
app.add_typer(on_call.silence, name="silence")
app.add_typer(on_call.duty, name="duty")


def run(arguments: Sequence[str]) -> int:
    """Run a command line and return the exit code. Errors are two lines on stderr: the problem, and what to do."""
    try:
        app(args=list(arguments), prog_name="baton")
    except Problem as problem:
        complain(*re.split(r"(?<=[.)]) (?=[A-Z])", problem.detail, maxsplit=1))
        return 2
    except SystemExit as left:
        return int(left.code or 0)
    except Exception as error:
        if os.environ.get("BATON_LOG_LEVEL", "").upper() == "DEBUG":
            raise
        complain(f"unexpected error ({type(error).__name__}).", "Set BATON_LOG_LEVEL=DEBUG to see the traceback.")
        return 2
    return 0


def _quiet() -> None:
    # The commands report outages themselves; the log lines of the database and Kafka clients would only repeat it.
    logging.getLogger().addHandler(logging.NullHandler())


def _show_version(wanted: bool) -> None:
    if wanted:
        import tomllib  # noqa: PLC0415

        show("baton " + tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"])
        raise typer.Exit


@app.callback()
def baton(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Global options."""


@app.command()
def up() -> None:
    """Start all services in one process, as `make run` does. Ctrl-C drains and stops."""
    from services.embedded.__main__ import run as run_embedded  # noqa: PLC0415

    raise typer.Exit(run_embedded())


@app.command()
def migrate() -> None:
    """Migrate the database of BATON_DATABASE_URL to the schema of this version."""
    from services.cli.migrate import bring_up_to_date  # noqa: PLC0415

    _quiet()
    show(bring_up_to_date(os.environ))


@app.command()
def doctor(as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False) -> None:
    """Check settings, agreement, keys, data folder, database and Kafka; change nothing. Exit code 1 if one fails."""
    from services.cli.doctor import examine, healthy, render  # noqa: PLC0415

    _quiet()
    findings = examine(os.environ)
    show(render(findings, as_json=as_json), as_json=as_json)
    raise typer.Exit(0 if healthy(findings) else 1)


@app.command()
def audit(
    since: Annotated[
        str | None, typer.Option("--from", help="The first date, in UTC, or an instant. Default: seven days ago.")
    ] = None,
    until: Annotated[
        str | None, typer.Option("--to", help="The last date, in UTC, or an instant. Default: all that is due later.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
) -> None:
    """Work out again, from the facts alone, how promises should have ended, and list where the record differs.
    Exit code 1 if it does.
    """
    from services.cli.audit import audited, render  # noqa: PLC0415

    _quiet()
    report = audited(os.environ, since, until)
    show(render(report, as_json=as_json), as_json=as_json)
    raise typer.Exit(1 if report.different else 0)


@agreement.command()
def check(
    file: Annotated[Path, typer.Argument(help="The agreement, as YAML.")],
    layout: Annotated[Format, typer.Option("--format", help="The output format.")] = Format.TEXT,
) -> None:
    """List all errors in an agreement file with file:line:column. Exit code 1 if it is refused."""
    from services.cli.agreement import check_file, notes, render  # noqa: PLC0415

    verdict = check_file(file, os.environ)
    show(render(verdict, layout), as_json=layout is Format.JSON)
    for note in notes(verdict):
        typer.echo(note, err=True)
    raise typer.Exit(1 if verdict.refused else 0)


@agreement.command()
def fmt(
    file: Annotated[Path, typer.Argument(help="The agreement, as YAML; formatted in place.")],
    look: Annotated[
        bool, typer.Option("--check", help="Change nothing; exit code 1 if the file is not formatted.")
    ] = False,
) -> None:
    """Format an agreement file. Comments and content do not change."""
    from services.cli.formatting import format_file, needs_formatting  # noqa: PLC0415

    if look:
        other = needs_formatting(file)
        show(f"{file}: {'not formatted' if other else 'formatted'}")
        raise typer.Exit(1 if other else 0)
    show(f"{file}: {'reformatted' if format_file(file) else 'already formatted'}")


@agreement.command()
def explain(
    file: Annotated[Path, typer.Argument(help="The agreement, as YAML.")],
    layout: Annotated[
        Page, typer.Option("--format", help="Text for a terminal, or an HTML page to print.")
    ] = Page.TEXT,
) -> None:
    """Explain an agreement file in plain sentences."""
    from services.cli.agreement_text import explained_page, explained_text  # noqa: PLC0415

    show(explained_page(file) if layout is Page.HTML else explained_text(file))


@agreement.command()
def diff(
    old: Annotated[Path, typer.Argument(help="The current agreement.")],
    new: Annotated[Path, typer.Argument(help="The proposed agreement.")],
    layout: Annotated[
        OutputFormat, typer.Option("--format", help="Text for people, JSON for programs.")
    ] = OutputFormat.TEXT,
) -> None:
    """Describe the changes between two agreement files. Exit code 0 if they mean the same, 1 if not."""
    from services.cli.agreement_diff import changes, render  # noqa: PLC0415

    found = changes(old, new)
    as_json = layout is OutputFormat.JSON
    show(render(found, old, new, as_json=as_json), as_json=as_json)
    raise typer.Exit(1 if found else 0)


@agreement.command()
def simulate(
    draft: Annotated[
        Path | None,
        typer.Option("--with", help="The agreement to try, as YAML. Default: the versions that were in force."),
    ] = None,
    against: Annotated[
        int | None, typer.Option(help="Compare with a replay of this stored version instead of the record.")
    ] = None,
    since: Annotated[
        str | None, typer.Option(help="The date from which it is in force and leads are compared.")
    ] = None,
    until: Annotated[str | None, typer.Option(help="The last date to replay.")] = None,
    csv: Annotated[Path | None, typer.Option(help="Write each lead that differs to this file.")] = None,
    html: Annotated[Path | None, typer.Option(help="Write the output to this file, as an HTML page.")] = None,
) -> None:
    """Replay past leads under an agreement, and show what would have been different."""
    from services.cli.simulate import SimulateOptions, simulation_text  # noqa: PLC0415

    _quiet()
    show(simulation_text(os.environ, SimulateOptions(draft, against, since, until, csv, html)))


Url = Annotated[str | None, typer.Option(help="The address of Baton. Default: BATON_PUBLIC_URL, or this machine.")]


@lead.command(name="explain")
def explain_lead(
    lead_id: Annotated[str, typer.Argument(help="The lead's id.")],
    offline: Annotated[
        Path | None,
        typer.Option(help="A file with its record, from GET /v1/leads/ID/record; nothing else is read."),
    ] = None,
    url: Url = None,
) -> None:
    """Re-derive every verdict on a lead from its record, in words. Exit code 1 if one does not follow."""
    from services.cli.lead import explained, fetched  # noqa: PLC0415

    story = explained(lead_id, fetched(os.environ, lead_id, url) if offline is None else offline)
    show("\n".join(story.lines))
    raise typer.Exit(0 if story.follows else 1)


@lead.command(name="orphans")
def orphan_leads(url: Url = None) -> None:
    """List the lead ids that activities name and no inquiry has, with their age."""
    from services.cli.lead import orphans  # noqa: PLC0415

    show("\n".join(orphans(os.environ, url)) or "Every activity names a lead that is known.")


Reason = Annotated[str, typer.Option(help="Why; the proof and the event say so.")]
By = Annotated[str | None, typer.Option(help="Who says so: a person of the agreement. Default: the administrator.")]


@lead.command(name="merge")
def merge_lead(
    lead_id: Annotated[str, typer.Argument(help="The lead that goes on as the other one.")],
    into: Annotated[str, typer.Argument(help="The lead that goes on.")],
    reason: Reason,
    by: By = None,
    url: Url = None,
) -> None:
    """Let a lead go on as another one, because both are of one person."""
    from services.cli.lead import merged  # noqa: PLC0415

    show(merged(os.environ, lead_id, into, reason=reason, by=by, url=url))


@lead.command(name="split")
def split_lead(
    lead_id: Annotated[str, typer.Argument(help="The id that became part of a lead.")],
    reason: Reason,
    by: By = None,
    url: Url = None,
) -> None:
    """Let an id that became part of a lead be a lead of its own again, because it is another person's."""
    from services.cli.lead import split  # noqa: PLC0415

    show(split(os.environ, lead_id, reason=reason, by=by, url=url))


@keys.command()
def create(
    name: Annotated[str, typer.Option(help="A name for the key.")],
    scopes: Annotated[str, typer.Option(help="What it may do, separated by commas: leads:write,leads:read ...")],
    source: Annotated[
        list[str] | None,
        typer.Option(help="A source that it may post for; can be repeated. Default: all without a URL of their own."),
    ] = None,
) -> None:
    """Add a key to the file of BATON_KEYS and show its secret once."""
    from services.cli.keys import add_key  # noqa: PLC0415

    secret = add_key(os.environ, name, [scope.strip() for scope in scopes.split(",")], source or [])
    show(secret)
    sys.stderr.write("This secret is not shown again. It works after services are restarted.\n")


@topics.command()
def missing(url: Url = None) -> None:
    """List the records missing from the log, by service, and since when. Exit code 1 if there are any."""
    from services.cli.topics import missing as found  # noqa: PLC0415

    lines = found(os.environ, url)
    show("\n".join(lines) or "Nothing is missing.")
    raise typer.Exit(1 if lines else 0)


@topics.command()
def resend(
    since: Annotated[str | None, typer.Option(help="A date or an instant. Default: everything retained.")] = None,
    url: Url = None,
) -> None:
    """Publish the retained facts of ingest and events of the other services again."""
    from services.cli.topics import sent_again  # noqa: PLC0415

    show(sent_again(os.environ, since, url))


@topics.command(name="accept")
def accept_missing(url: Url = None) -> None:
    """Let the services continue after the gap. Records that were not sent again stay lost."""
    from services.cli.topics import accepted  # noqa: PLC0415

    show("\n".join(accepted(os.environ, url)) or "Nothing is missing.")


@channels.command(name="test")
def test_channels(
    who: Annotated[str, typer.Argument(help="A role, such as ops, or the id of a person.")],
) -> None:
    """Send a test message through each channel of a role or person. Exit code 1 if one does not take it."""
    from services.cli.channels import send_tests  # noqa: PLC0415

    found = send_tests(os.environ, who)
    show("\n".join(found.lines))
    raise typer.Exit(0 if found.all_taken else 1)


@app.command(name="re-judge")
def rejudge(
    since: Annotated[str | None, typer.Option("--from", help="The first date, in UTC, or an instant.")] = None,
    until: Annotated[
        str | None, typer.Option("--to", help="The last date, in UTC, or an instant. Default: today.")
    ] = None,
    status: Annotated[
        list[str] | None, typer.Option(help="'rejected' or 'parked'; can be repeated. Default: both.")
    ] = None,
    reason: Annotated[str | None, typer.Option(help="Why; each proof shows it. Default: only simulate.")] = None,
    by: Annotated[str | None, typer.Option(help="Who decided it: a person of the agreement.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before applying.")] = False,
    url: Url = None,
) -> None:
    """Judge leads of a period again that were rejected or wait: show what would change, and apply it if confirmed."""
    from services.cli.rejudge import RejudgeOptions, applied, lines, simulated  # noqa: PLC0415

    looked = simulated(os.environ, RejudgeOptions(since, until, tuple(status or ())), url)
    show("\n".join(lines(looked, "simulated")))
    if reason is None:
        show("Nothing was changed. Give --reason to apply it.")
    elif yes or typer.confirm("Apply it?"):
        show("\n".join(["Applied.", *lines(applied(os.environ, looked["id"], reason, by, url), "applied")]))
    else:
        raise typer.Exit(1)


@app.command()
def declare_lost(
    instance: Annotated[str, typer.Argument(help="The ingest instance whose disk is gone.")],
    url: Url = None,
) -> None:
    """Stop waiting for the facts of an ingest instance whose disk is gone."""
    from services.cli.instances import declare_lost  # noqa: PLC0415

    show(declare_lost(os.environ, instance, url))


@clock.command()
def accept(
    url: Annotated[
        str | None, typer.Option(help="The address of that ingest. Default: BATON_PUBLIC_URL, or this machine.")
    ] = None,
) -> None:
    """Confirm that an ingest machine's clock is right after a step, so that it accepts activities again."""
    from services.cli.instances import accepted_clock  # noqa: PLC0415

    show(accepted_clock(os.environ, url))

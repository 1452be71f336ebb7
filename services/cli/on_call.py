"""Commands for who is notified: silences, and who is on duty."""

import os
from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import quote

import typer

from services.cli.output import show

silence = typer.Typer(no_args_is_help=True, help="Silences: for a while, missed promises notify nobody.")
duty = typer.Typer(no_args_is_help=True, help="Who is on duty, and who stands in.")

Url = Annotated[str | None, typer.Option(help="The address of Baton. Default: BATON_PUBLIC_URL, or this machine.")]
By = Annotated[str, typer.Option(help="Who does this: a person's id or e-mail address.")]


@silence.command()
def add(
    by: By,
    reason: Annotated[str, typer.Option(help="Why; events and pages show it.")],
    until: Annotated[str, typer.Option(help="Its end, at most 30 days after it begins: 2026-12-24T18:00+01:00.")],
    since: Annotated[str | None, typer.Option("--from", help="Its beginning. Default: now.")] = None,
    promise: Annotated[str | None, typer.Option(help="Only this promise.")] = None,
    owner: Annotated[str | None, typer.Option(help="Only promises of this person.")] = None,
    pool: Annotated[str | None, typer.Option(help="Only promises of this pool's members.")] = None,
    side: Annotated[str | None, typer.Option(help="Only promises of this side: sales, marketing, operations.")] = None,
    url: Url = None,
) -> None:
    """Silence promises: their steps are recorded, but notify nobody until the end."""
    matches = {"promise": promise, "owner": owner, "pool": pool, "side": side}
    body: dict[str, Any] = {"by": by, "reason": reason, "until": until}
    body |= {"from": since} if since else {}
    body["matches"] = {name: value for name, value in matches.items() if value}
    made = _send("POST", "/v1/silences", url, body)
    show(f"Silence {made['silence_id']} until {made['ends_at']}.")


@silence.command(name="list")
def list_silences(url: Url = None) -> None:
    """Show the silences that are not over."""
    items = [
        each for state in ("active", "coming") for each in _send("GET", f"/v1/silences?state={state}", url)["items"]
    ]
    show("\n".join(map(_silence, items)) or "There is no silence.")


@silence.command()
def end(
    silence_id: Annotated[str, typer.Argument(help="The silence, from `silence list`.")], by: By, url: Url = None
) -> None:
    """End a silence now: missed promises that it kept silent notify now."""
    _send("POST", f"/v1/silences/{quote(silence_id, safe='')}/end", url, {"by": by})
    show(f"Silence {silence_id} is over.")


@duty.command(name="show")
def show_duty(url: Url = None) -> None:
    """Show who is on duty now and until when, and the times ahead at which nobody is."""
    items = _send("GET", "/v1/duty", url)["items"]
    show("\n".join(line for each in items for line in _duty(each)) or "The agreement has no duty rota.")


@duty.command()
def override(
    role: Annotated[str, typer.Argument(help="ops, sales_lead or marketing_lead.")],
    who: Annotated[str, typer.Option(help="Who is on duty instead: a person's id or e-mail address.")],
    to: Annotated[str, typer.Option(help="Until when: 2026-12-24T18:00+01:00.")],
    by: By,
    since: Annotated[str | None, typer.Option("--from", help="From when on. Default: now.")] = None,
    url: Url = None,
) -> None:
    """Put a person on duty for a while, whatever the duty rota says."""
    body = {"who": who, "to": to, "by": by} | ({"from": since} if since else {})
    made = _send("POST", f"/v1/duty/{quote(role, safe='')}/overrides", url, body)
    show(f"{made['person']} is {role} from {made['starts_at']} until {made['ends_at']} ({made['override_id']}).")


@duty.command()
def restore(
    role: Annotated[str, typer.Argument(help="ops, sales_lead or marketing_lead.")],
    override_id: Annotated[str, typer.Argument(help="The override, from `duty show`.")],
    url: Url = None,
) -> None:
    """Delete an override: the duty rota holds again."""
    _send("DELETE", f"/v1/duty/{quote(role, safe='')}/overrides/{quote(override_id, safe='')}", url)
    show(f"The duty rota of {role} holds again.")


def _send(method: str, path: str, url: str | None, body: object = None) -> Any:
    from services.cli.client import send  # noqa: PLC0415 (slow to load)

    answer = send(os.environ, method, path, url, body)
    return answer.json() if answer.content else None


def _silence(each: Mapping[str, Any]) -> str:
    matches = ", ".join(f"{name} {each[name]}" for name in ("promise", "owner", "pool", "side") if each[name])
    what = matches or "all promises"
    return f"{each['silence_id']}  {each['starts_at']} to {each['ends_at']}  {what}: {each['reason']} ({each['by']})"


def _duty(each: Mapping[str, Any]) -> list[str]:
    until = f" until {each['until_at']}" if each["until_at"] else ""
    return [
        f"{each['role']}: {each['person'] or 'nobody'}{until}",
        *(f"  {o['person']} from {o['starts_at']} to {o['ends_at']} ({o['override_id']})" for o in each["overrides"]),
        *(f"  nobody from {gap['starts_at']} to {gap['ends_at']}" for gap in each["gaps"]),
    ]

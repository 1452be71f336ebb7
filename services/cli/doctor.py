"""`./baton doctor`: checks everything that Baton needs to start. It changes nothing and shows no secrets."""

import asyncio
import importlib.util
import os
import shutil
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal

import msgspec

from services.delivery.channels.apprise import installed
from services.delivery.domain.channel_needs import missing
from services.delivery.settings import DeliverySettings
from shared import agreement_file
from shared.agreement_file import AgreementRefused
from shared.bus.topics import read_topics
from shared.clock import SystemClock
from shared.db import gaps, schema
from shared.db.engine import Database
from shared.domain.errors import Problem, Unavailable
from shared.http.keys import Keys, weakness_of
from shared.settings import SERVICES, Settings, SettingsModel, read, refuse_unread

State = Literal["ok", "warn", "fail"]

_ANSWERS_WITHIN_S = 15
_LITTLE_SPACE = 1024**3


class Diagnosis(msgspec.Struct, frozen=True):
    """The result of one check, and what to do about it."""

    check: str
    state: State
    detail: str
    fix: str = ""


class FailingPart(msgspec.Struct, frozen=True):
    """A process of the production layout that keeps exiting."""

    since: str
    reason: str


def examine(environ: Mapping[str, str]) -> list[Diagnosis]:
    """All checks, in the order in which to fix their findings."""
    try:
        settings = read(Settings, environ)
        _refuse_wrong_settings(environ)
    except Problem as wrong:
        return [Diagnosis("settings", "fail", wrong.detail, "Correct it, then run the doctor again.")]
    return [
        Diagnosis("settings", "ok", f"{sum(name.startswith('BATON_') for name in environ)} set"),
        _keys(settings),
        _agreement(settings.agreement),
        *_channels(settings.agreement, environ),
        _data_folder(settings.data),
        *asyncio.run(_stores(settings)),
        *_parts(settings.data),
    ]


def healthy(findings: Sequence[Diagnosis]) -> bool:
    """Whether Baton can start: no check failed."""
    return all(finding.state != "fail" for finding in findings)


def render(findings: Sequence[Diagnosis], *, as_json: bool) -> str:
    """The findings as text, or as a JSON document `{"ok", "checks"}`."""
    if as_json:
        return msgspec.json.format(
            msgspec.json.encode({"ok": healthy(findings), "checks": findings}), indent=2
        ).decode()
    width = max(len(finding.check) for finding in findings)
    return "\n".join(line for finding in findings for line in _lines(finding, width))


def settings_models() -> list[type[SettingsModel]]:
    """Every settings model; the common one first."""
    for service in SERVICES:
        if importlib.util.find_spec(f"services.{service}.settings") is not None:
            importlib.import_module(f"services.{service}.settings")
    return SettingsModel.__subclasses__()


def _refuse_wrong_settings(environ: Mapping[str, str]) -> None:
    for model in settings_models():
        read(model, environ)
    refuse_unread(environ)


def _keys(settings: Settings) -> Diagnosis:
    try:
        Keys.load(settings)
    except Problem as wrong:
        return Diagnosis("keys", "fail", wrong.detail, "Create keys with './baton keys create'.")
    admin = settings.admin_key.get_secret_value() if settings.admin_key else ""
    if not admin and settings.keys is None:
        return Diagnosis("keys", "warn", "there are none", "Set BATON_ADMIN_KEY; `make run` generates one.")
    if admin and (weakness := weakness_of(admin)) is not None:
        return Diagnosis(
            "keys", "fail", f"BATON_ADMIN_KEY {weakness}", "Generate one, for example with 'openssl rand -hex 32'."
        )
    return Diagnosis("keys", "ok", "valid")


def _agreement(file: Path) -> Diagnosis:
    try:
        loaded = agreement_file.load(file, SystemClock().now())
    except AgreementRefused as refused:
        found = f"{file} is refused, with {len(refused.findings)} errors; the first: {refused.findings[0]}"
        return Diagnosis("agreement", "fail", found, f"Run './baton agreement check {file}'.")
    except Problem as wrong:
        return Diagnosis("agreement", "fail", wrong.detail, "Set BATON_AGREEMENT to the agreement's file.")
    title = f"{loaded.agreement.name} version {loaded.agreement.version}"
    if loaded.warnings:
        fix = f"Run './baton agreement check {file}'."
        return Diagnosis("agreement", "warn", f"{title}, with {len(loaded.warnings)} warnings", fix)
    return Diagnosis("agreement", "ok", title)


def _channels(file: Path, environ: Mapping[str, str]) -> Iterator[Diagnosis]:
    """What the agreement's channels need that is not here; nothing if the agreement is refused, which is said apart."""
    with suppress(Problem, AgreementRefused):
        agreement = agreement_file.load(file, SystemClock().now()).agreement
        mails = read(DeliverySettings, environ).mail_server is not None
        for lack in missing(agreement, mails=mails, apprise=installed()):
            found, _, fix = lack.partition(": ")
            yield Diagnosis("channels", "warn", found, f"{fix[:1].upper()}{fix[1:]}.")


def _data_folder(folder: Path) -> Diagnosis:
    there = folder.absolute()
    while not there.exists() and there != there.parent:
        there = there.parent
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        return Diagnosis(
            "data folder", "fail", f"{folder} can't be written", "Set BATON_DATA to a folder that you own."
        )
    free = shutil.disk_usage(there).free
    if free < _LITTLE_SPACE:
        detail = f"{folder} has {free // 1024**2} MiB left on its disk"
        return Diagnosis("data folder", "warn", detail, "Free some space: a service that can't write accepts no leads.")
    return Diagnosis("data folder", "ok", f"{folder} can be written, {free // 1024**3} GiB left")


def _parts(folder: Path) -> list[Diagnosis]:
    """The processes that keep exiting, of a `make production` that uses this folder."""
    try:
        failing = msgspec.json.decode((folder / "parts.json").read_bytes(), type=dict[str, FailingPart])
    except FileNotFoundError:
        return []
    except (OSError, msgspec.MsgspecError) as wrong:
        return [Diagnosis("parts", "warn", f"{folder / 'parts.json'} can't be read ({wrong})")]
    fix = "Fix what its log names; it is restarted automatically."
    return [Diagnosis("parts", "fail", f"{part.reason} (since {part.since})", fix) for part in failing.values()]


async def _stores(settings: Settings) -> list[Diagnosis]:
    return list(await asyncio.gather(_found("database", _database, settings), _found("kafka", _kafka, settings)))


async def _found(check: str, look: Callable[[Settings], Awaitable[Diagnosis]], settings: Settings) -> Diagnosis:
    try:
        async with asyncio.timeout(_ANSWERS_WITHIN_S):
            return await look(settings)
    except Problem as wrong:
        return Diagnosis(check, "fail", wrong.detail)
    except Exception as error:  # report any failure
        name = "BATON_DATABASE_URL" if check == "database" else "BATON_KAFKA"
        return Diagnosis(check, "fail", f"it does not answer ({type(error).__name__})", f"Start it, or correct {name}.")


async def _database(settings: Settings) -> Diagnosis:
    file = settings.data.absolute() / "baton.db"
    if settings.database_url is None and not file.exists():
        return Diagnosis(
            "database", "ok", f"SQLite in {settings.data}, for `make run`; created and migrated at startup"
        )
    url = settings.database_url.get_secret_value() if settings.database_url else f"sqlite+aiosqlite:///{file}"
    database = Database(url, SystemClock(), pool_size=1)
    try:
        await database.ping()
        try:
            await schema.require_current(database)
        except Unavailable:
            if settings.database_url is None:
                return Diagnosis("database", "ok", f"SQLite in {settings.data}; migrated at the next startup")
            raise
        async with database.read() as tx:
            missing = await gaps.open_gaps(tx)
    finally:
        await database.close()
    if missing:
        since = min(gap.found_at for gap in missing)
        found = "; ".join(f"{gap.service}: {gap}" for gap in missing)
        fix = "Run './baton topics resend', then './baton topics accept'."
        return Diagnosis("database", "fail", f"records are missing since {since:%Y-%m-%dT%H:%M:%SZ}: {found}", fix)
    return Diagnosis("database", "ok", f"answers, with schema {schema.head()}")


async def _kafka(settings: Settings) -> Diagnosis:
    if settings.kafka is None:
        return Diagnosis("kafka", "ok", f"none: the log is in {settings.data}, for `make run`")
    from shared.bus.kafka import Access, missing_topics  # noqa: PLC0415 (not loaded where there is no broker)

    missing = await missing_topics(Access.of(settings), read_topics())
    if missing:
        detail = f"answers, but these topics do not exist yet: {', '.join(missing)}"
        return Diagnosis("kafka", "warn", detail, "The first service that starts creates them.")
    return Diagnosis("kafka", "ok", "answers, and all topics exist")


def _lines(finding: Diagnosis, width: int) -> Iterator[str]:
    yield f"{finding.state:4}  {finding.check:{width}}  {finding.detail}"
    if finding.fix:
        yield f"{'':4}  {'':{width}}  {finding.fix}"

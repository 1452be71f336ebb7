"""Baton as a user runs it: `make run`'s command, or `make production`'s, in a folder of its own on a free port."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import psutil

from deploy.local.ports import free_ports
from deploy.local.process import Process
from tests.kit.agreements import agreement_text

ROOT = Path(__file__).parents[2]
KEY = "journey-admin-key"
PYTHON = (sys.executable, "-m")
AUDITED_WITHIN_S = 60
SOURCES = """\
sources:
  contact:
    type: form
    token_from: env:CONTACT_TOKEN
    thank_you: [https://acme.example/thanks]
    defaults: {kind: demo_request}
  open:
    type: form
    public: true
  google:
    type: google_ads
    key_from: env:GOOGLE_KEY
"""


@dataclass(frozen=True)
class Running:
    """A running Baton."""

    kind: str
    url: str
    process: "subprocess.Popen[str]"
    headers: dict[str, str]
    environ: dict[str, str]

    def service(self, name: str) -> psutil.Process:
        """The process of a service in the production layout."""
        pid = Process(name, Path(self.environ["BATON_DATA"]) / "log").pid
        assert pid is not None, f"{name} does not run"
        return psutil.Process(pid)


@contextmanager
def running(
    kind: str,
    folder: Path,
    *,
    agreement: str = "",
    channels: str = "",
    settings: Mapping[str, str] = MappingProxyType({}),
    program: Sequence[str] = PYTHON,
    **agreed: str,
) -> Iterator[Running]:
    """Start it, wait for its ready line, and stop it as Ctrl-C does; a stop that fails or hangs is an error.

    Without an `agreement`, it is the small one of tests with `agreed` and `channels`. `program` runs a module.
    """
    (folder / "agreement.yaml").write_text(agreement or agreement_text(**agreed) + channels)  # type: ignore[arg-type]
    (folder / "sources.yaml").write_text(SOURCES)
    environ = {
        **{name: value for name, value in os.environ.items() if not name.startswith("BATON_")},
        "BATON_PORT": str(free_ports(1)[0]),
        "BATON_DATA": str(folder / "data"),
        "BATON_AGREEMENT": str(folder / "agreement.yaml"),
        "BATON_SOURCES": str(folder / "sources.yaml"),
        "BATON_ADMIN_KEY": KEY,
        "BATON_SLA_MONITOR_TOLERANCE_S": "0.5",
        "CONTACT_TOKEN": "contact-token-of-the-journey",
        "GOOGLE_KEY": "google-key-of-the-journey",
        **settings,
    }
    module = {"embedded": "services.embedded", "production": "deploy.production"}[kind]
    command = [*program, module]
    process = subprocess.Popen(
        command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    lines: list[str] = []
    rest = threading.Thread(target=lambda: lines.extend(process.stdout or []), daemon=True)
    try:
        url = _ready(process, lines)
        rest.start()
        yield Running(kind, url, process, {"Authorization": f"Bearer {KEY}"}, environ)
    finally:
        process.send_signal(signal.SIGINT)
        code = process.wait(timeout=60)
        if rest.ident is not None:
            rest.join(timeout=10)
        assert process.stdout is not None
        process.stdout.close()
    assert code == 0, "".join(lines[-40:])


def assert_audit_finds_nothing(it: Running, program: Sequence[str] = PYTHON) -> None:
    """`baton audit` names no promise, once the scoreboard has read everything. It has the settings of a service."""
    environ = it.environ if it.kind == "embedded" else it.service("scoreboard").environ()
    command, end = [*program, "services.cli", "audit"], time.monotonic() + AUDITED_WITHIN_S
    while True:
        done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            break
        assert done.returncode == 1, done.stderr
        assert time.monotonic() < end, done.stdout


def _ready(process: "subprocess.Popen[str]", lines: list[str]) -> str:
    assert process.stdout is not None
    for line in process.stdout:
        lines.append(line)
        if line.startswith("Baton is ready at "):
            return line.split()[-1]
    raise AssertionError("it ended before it was ready:\n" + "".join(lines))

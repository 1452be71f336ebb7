"""A real Alertmanager as a process, which posts what fires and what is resolved to a webhook at once."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from deploy.local.ports import LOOPBACK, free_ports
from deploy.local.process import Process

_NAMES = ("prometheus-alertmanager", "alertmanager")
_SETTINGS = """
route:
  receiver: test
  group_by: [alertname, incident]
  group_wait: 10ms
  group_interval: 100ms
  repeat_interval: 1h
receivers:
  - name: test
    webhook_configs: [{{url: "{url}", send_resolved: true}}]
"""


@contextmanager
def alertmanager(folder: Path, receiver: str) -> Iterator[str]:
    """Its URL. Skips the test (or fails it, with CI=true) where there is no Alertmanager."""
    program = next(filter(None, map(shutil.which, _NAMES)), None)
    if program is None:
        reason = "no Alertmanager on PATH (Debian's package is called prometheus-alertmanager)"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(reason)
    settings = folder / "alertmanager.yml"
    settings.write_text(_SETTINGS.format(url=receiver))
    [port] = free_ports(1)
    url = f"http://{LOOPBACK}:{port}"
    process = Process("alertmanager", folder)
    process.start(
        [program, f"--config.file={settings}", f"--storage.path={folder / 'alerts'}",
         f"--web.listen-address={LOOPBACK}:{port}", "--cluster.listen-address="],
        ready=lambda: _ready(url),
        deadline_s=60,
    )  # fmt: skip
    try:
        yield url
    finally:
        process.stop()


def _ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/-/ready", timeout=5).status_code == 200
    except httpx.HTTPError:
        return False

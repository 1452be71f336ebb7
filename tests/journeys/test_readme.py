"""A new user with the README open: a clean clone, `make run`, the commands as they stand there, Ctrl-C."""

import json
import os
import re
import signal
import subprocess
from pathlib import Path

import httpx
import pytest

from deploy.local.ports import free_ports
from tests.journeys.processes import ROOT

KEY = "readme-admin-key"


def commands(document: str, word: str) -> list[str]:
    """The shell commands in a document's bash blocks that begin with `word`."""
    blocks = re.findall(r"```bash\n(.*?)```", (ROOT / document).read_text(), re.DOTALL)
    return [block.strip() for block in blocks if block.startswith(word)]


def answer(command: str, port: int) -> dict[str, object]:
    """What a curl command of the README prints, sent to our port."""
    script = command.replace("127.0.0.1:8080", f"127.0.0.1:{port}")
    environ = {**os.environ, "BATON_ADMIN_KEY": KEY}
    done = subprocess.run(["bash", "-c", script], env=environ, capture_output=True, text=True, timeout=30, check=True)
    found: dict[str, object] = json.loads(done.stdout)
    return found


@pytest.mark.slow
@pytest.mark.xdist_group("layouts")
@pytest.mark.timeout(600)
def test_a_clean_clone_runs_by_the_readme(tmp_path: Path) -> None:
    clone = tmp_path / "baton"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
    [port] = free_ports(1)
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("BATON_", "VIRTUAL_ENV"))}
    environ |= {"BATON_PORT": str(port), "BATON_ADMIN_KEY": KEY}
    [run] = commands("README.md", "make run")
    process = subprocess.Popen(
        ["env", "--default-signal=INT", *run.split()],  # a background job would have us ignore it
        cwd=clone,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        process_group=0,
    )
    assert process.stdout is not None
    lines = []
    try:
        for line in process.stdout:
            lines.append(line)
            if line.startswith("Baton is ready at "):
                break
        assert lines[-1:] == [f"Baton is ready at http://127.0.0.1:{port}\n"], "".join(lines)
        lead, activity = commands("README.md", "curl")
        posted = answer(lead, port)
        recorded = answer(activity, port)
        page = httpx.get(f"http://127.0.0.1:{port}/", timeout=30).text
    finally:
        os.killpg(process.pid, signal.SIGINT)
        rest, _ = process.communicate(timeout=60)
    # make ends by the signal itself, but only after Baton; had Baton failed to drain, make would say "*** Error".
    assert "***" not in rest, "".join(lines) + rest
    assert process.returncode == -signal.SIGINT, "".join(lines) + rest
    assert posted["results"][0]["status"] == "accepted"  # type: ignore[index]
    assert recorded["results"][0]["status"] == "accepted"  # type: ignore[index]
    assert "Scoreboard" in page
    assert (clone / "data").is_dir()

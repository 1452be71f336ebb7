"""Fetches what the tests need beyond the environment, once: the broker's jars, and Chromium, two proxies, Alertmanager,
openssl and wrk where that may be done.

What can't be had is reported here and skipped by name in the tests' summary; with CI=true that is a failure.
"""

import os
import shutil
import subprocess
import sys

from deploy.local.jars import locked_jars
from deploy.local.process import ComponentError

PROGRAMS = {
    "chromium": ("chromium", "chromium-browser", "google-chrome"),
    "haproxy": ("haproxy",),
    "nginx-light": ("nginx",),
    "openssl": ("openssl",),
    "prometheus-alertmanager": ("prometheus-alertmanager", "alertmanager"),
    "wrk": ("wrk",),
}


def main() -> None:
    """Fetch and install; never fails, the tests say what they lack."""
    try:
        locked_jars()
    except ComponentError as wrong:
        sys.stderr.write(f"{wrong}\n")
    missing = [package for package, names in PROGRAMS.items() if not any(map(shutil.which, names))]
    if not missing:
        return
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        sys.stderr.write(f"Not on this machine: {', '.join(missing)}. Install them to run the tests that need them.\n")
        return
    sys.stderr.write(f"Installing {', '.join(missing)} (once) ...\n")
    quiet = {"stdout": subprocess.DEVNULL, "env": {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}}
    for command in (
        ["apt-get", "update", "-q"],
        ["apt-get", "install", "-q", "-y", "--no-install-recommends", *missing],
    ):
        if subprocess.run(command, check=False, **quiet).returncode:  # type: ignore[call-overload]
            sys.stderr.write(f"{' '.join(command)} failed; the tests that need {', '.join(missing)} can't run.\n")
            return


if __name__ == "__main__":
    main()

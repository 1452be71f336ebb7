"""`python -m deploy.probe`: exit code 0 if the service in this container lives, else 1; what the image's health check
runs, since the image has no other HTTP client.
"""

import os
import sys
import urllib.request
from collections.abc import Mapping

_ANSWERS_WITHIN_S = 4


def lives(environ: Mapping[str, str]) -> bool:
    """Whether `/healthz` on `BATON_PORT` of this machine answers 200, past any proxy that is set."""
    # A proxy knows another 127.0.0.1.
    port = environ.get("BATON_PORT", "")
    port = port if port.isdigit() else "8080"  # Kubernetes may have put the address of a Service called baton there
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(f"http://127.0.0.1:{port}/healthz", timeout=_ANSWERS_WITHIN_S) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


if __name__ == "__main__":
    sys.exit(0 if lives(os.environ) else 1)

"""`python -m tests.fuzz.coverage_guided TARGET [libFuzzer options] [corpus folder]` runs one target under atheris.

`all` takes the target from the first byte. Ends with another code than 0 on a finding, and leaves its bytes in the
file that `-artifact_prefix` names.
"""

import logging
import sys

import atheris

logging.disable(logging.CRITICAL)  # libraries say what is wrong with each input
with atheris.instrument_imports(include=["services", "shared", "python_multipart", "email", "urllib"]):
    from tests.fuzz import targets

_NAMES = list(targets.TARGETS)


def _one(data: bytes) -> None:
    targets.run(sys.argv[1], data)


def _all(data: bytes) -> None:
    if data:
        targets.run(_NAMES[data[0] % len(_NAMES)], data[1:])


if __name__ == "__main__":
    atheris.Setup([sys.argv[0], *sys.argv[2:]], _all if sys.argv[1] == "all" else _one)
    atheris.Fuzz()

"""Every module can be imported by its path, in one process, without doing anything."""

import re
import subprocess
import sys

from tests.architecture.tree import CODE, ROOT, dotted, modules, texts

_IMPORT_ALL = """
import importlib, sys
for name in sys.stdin.read().split():
    try:
        importlib.import_module(name)
    except Exception as error:
        print(f"{name}: {type(error).__name__}: {error}")
"""


def test_every_module_imports_cleanly() -> None:
    names = "\n".join(dotted(name) for name in modules(*CODE))
    done = subprocess.run(
        [sys.executable, "-c", _IMPORT_ALL],
        input=names,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout == ""
    assert done.stderr == ""
    assert done.returncode == 0


def test_time_zones_come_from_the_module_that_reads_the_locked_package() -> None:
    past = re.compile(r"^(?!.*>>>).*ZoneInfo\(", re.MULTILINE)
    assert [name for name in modules(*CODE) if past.search(texts()[name])] == ["shared/domain/zones.py"]

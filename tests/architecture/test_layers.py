"""A stray module fails `make check`: one that belongs to no layer, and anywhere one that nothing imports."""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

from tests.architecture.tree import CODE, ROOT, dotted, imports, modules, texts

CONTRACTS: list[dict[str, Any]] = tomllib.loads(texts()["pyproject.toml"])["tool"]["importlinter"]["contracts"]
WITH_LAYERS = [contract for contract in CONTRACTS if "containers" in contract]
CONTAINERS = [container for contract in WITH_LAYERS for container in contract["containers"]]


def test_every_contract_on_layers_is_exhaustive() -> None:
    assert not [contract["id"] for contract in WITH_LAYERS if not contract.get("exhaustive")]


def test_every_service_and_every_package_of_shared_has_layers() -> None:
    packages = {tuple(name.split("/")[:2]) for name in modules("shared", "services") if name.count("/") > 1}
    without = {".".join(package) for package in packages} - set(CONTAINERS)
    assert not without


def test_every_module_is_imported_by_another() -> None:
    importing = [*modules(*CODE), "tests/architecture/generate.py"]
    used = {name for importer in importing for name in imports(importer)}
    unused = [
        name
        for name in modules("shared", "services")
        if not name.endswith(("/__init__.py", "/__main__.py")) and dotted(name) not in used
    ]
    assert not unused, f"nothing imports these modules, so delete them: {unused}"


def test_a_module_outside_of_the_layers_fails_in_every_package_that_has_them(tmp_path: Path) -> None:
    for name in ("pyproject.toml", *modules("shared", "services")):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    for container in CONTAINERS:
        (tmp_path / container.replace(".", "/") / "stray.py").write_text('"""Belongs nowhere."""\n')
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([linter, "--no-cache"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert not [container for container in CONTAINERS if f"{container}.stray" not in done.stdout], done.stdout

"""The files that an agreement names, which lie next to it: the drafts of pilots, and the calendars of the duty rota."""

import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

from shared.agreement_file.text.findings import Findings, Path


def draft_names(content: Mapping[str, Any]) -> dict[str, Path]:
    """The drafts that the pilots of a file name, each with the place of its first mention."""
    pilots = content.get("pilots")
    names: dict[str, Path] = {}
    for index, pilot in enumerate(pilots if isinstance(pilots, list) else ()):
        name = pilot.get("agreement") if isinstance(pilot, dict) else None
        if isinstance(name, str) and name:
            names.setdefault(name, ("pilots", index, "agreement"))
    return names


def calendar_names(content: Mapping[str, Any]) -> dict[str, Path]:
    """The calendars that the duty rota of a file names, each with the place of its first mention."""
    duty = content.get("duty")
    names: dict[str, Path] = {}
    for role, block in duty.items() if isinstance(duty, dict) else ():
        name = block.get("calendar") if isinstance(block, dict) else None
        if isinstance(name, str) and name:
            names.setdefault(name, ("duty", role, "calendar"))
    return names


def beside(file: str, name: str) -> str:
    """The name, as seen from the agreement, of a file that lies next to another `file`."""
    return str(pathlib.PurePosixPath(file).parent / name)


def given(named: Mapping[str, Path], files: Mapping[str, str], findings: Findings) -> Iterator[str]:
    """The names of those files that are there. Refuses the others, and names that lead to another folder."""
    for name, path in named.items():
        if not is_next_to_it(name):
            findings.refuse(path, "wrong_value", f"`{name}` has to lie next to the agreement: write its name alone")
        elif name not in files:
            kind = "draft" if path[0] == "pilots" else "calendar"
            findings.refuse(path, f"no_{kind}", f"there is no file `{name}` next to the agreement: check the name")
        else:
            yield name


def is_next_to_it(name: str) -> bool:
    """Whether a file's name stays in the folder of the agreement, or below it."""
    path = pathlib.PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts and "\\" not in name

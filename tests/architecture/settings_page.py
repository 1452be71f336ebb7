"""The reference of all settings, generated from the models that read them."""

import importlib
import types
import typing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pydantic

from shared.settings import Settings, SettingsModel
from tests.architecture.tree import SERVICES, tracked

_WORDS = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "`true` or `false`",
    Path: "path",
    pydantic.SecretStr: "secret",
}


@dataclass(frozen=True)
class Setting:
    """A setting as shown on the page."""

    name: str
    type: str
    default: str
    meaning: str | None


def groups() -> dict[str, list[Setting]]:
    """Settings by who reads them: every service, or one."""
    found = {"every service": _settings(Settings, "BATON_")}
    for service in SERVICES:
        if f"services/{service}/settings.py" in tracked():
            module = importlib.import_module(f"services.{service}.settings")
            models = [m for m in vars(module).values() if isinstance(m, type) and issubclass(m, SettingsModel)]
            found[service] = [
                s for model in models if model is not SettingsModel for s in _settings(model, model.PREFIX)
            ]
    return found


def names() -> set[str]:
    """The names of all settings and their `_FILE` variants."""
    bare = {setting.name for group in groups().values() for setting in group}
    return bare | {f"{name}_FILE" for name in bare}


def settings_page() -> str:
    """`docs/settings.md`."""
    parts = [
        "# Settings",
        "Settings are environment variables. Generated from the code by `python -m tests.architecture.generate`.",
        "Baton reads settings once, at startup. To read a value from a file, for example a secret, append `_FILE` to "
        "the name: `BATON_ADMIN_KEY_FILE=/run/secrets/admin`. An invalid value is an error at startup. So is an "
        "unknown `BATON_` variable; the error suggests the nearest name. An empty value counts as unset.",
    ]
    for reader, settings in groups().items():
        parts += [
            f"## Read by {reader}",
            "| name | value | default | meaning |\n|---|---|---|---|\n" + "\n".join(map(_row, settings)),
        ]
    return "\n\n".join(parts) + "\n"


def _row(setting: Setting) -> str:
    return f"| `{setting.name}` | {setting.type} | {setting.default} | {setting.meaning or ''} |"


def _settings(model: type[SettingsModel], prefix: str) -> list[Setting]:
    return [
        Setting(prefix + name.upper(), _type(field), _default(field), field.description)
        for name, field in model.model_fields.items()
    ]


def _type(field: Any) -> str:
    arms = typing.get_args(field.annotation) if isinstance(field.annotation, types.UnionType) else (field.annotation,)
    words = " or ".join(_word(arm) for arm in arms if arm is not types.NoneType)
    bounds = {
        name: getattr(rule, name) for rule in field.metadata for name in ("ge", "le", "gt", "lt") if hasattr(rule, name)
    }
    signs = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}
    return ", ".join([words, *(f"{signs[name]} {value}" for name, value in bounds.items())])


def _word(hint: Any) -> str:
    if typing.get_origin(hint) is typing.Literal:
        return " or ".join(f"`{value}`" for value in typing.get_args(hint))
    return _WORDS[hint]


def _default(field: Any) -> str:
    value = field.default
    if field.is_required():
        return "required"
    if value is None:
        return "none"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"

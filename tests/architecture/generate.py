"""Writes the generated reference: `python -m tests.architecture.generate`. A test fails if a file is out of date."""

import json
from pathlib import Path

from tests.architecture.agreement_schema_file import json_schema
from tests.architecture.event_pages import asyncapi, events_page, schemas
from tests.architecture.metrics_page import metrics_page
from tests.architecture.settings_page import settings_page
from tests.architecture.tree import ROOT

SCHEMAS = Path("docs/schemas")


def generated() -> dict[Path, str]:
    """Every generated file, by its path from the root."""
    return {
        Path("docs/events.md"): events_page(),
        Path("docs/settings.md"): settings_page(),
        Path("docs/metrics.md"): metrics_page(),
        Path("docs/asyncapi.yaml"): asyncapi(),
        Path("docs/agreement.schema.json"): json.dumps(json_schema(), indent=2) + "\n",
        **{SCHEMAS / f"{name}.json": text for name, text in schemas().items()},
    }


def stale() -> list[Path]:
    """Schemas of types that are no longer public."""
    wanted = generated()
    return [path for file in (ROOT / SCHEMAS).glob("*") if (path := file.relative_to(ROOT)) not in wanted]


def write() -> None:
    """Write all files and remove stale ones."""
    (ROOT / SCHEMAS).mkdir(parents=True, exist_ok=True)
    for path, text in generated().items():
        (ROOT / path).write_text(text, encoding="utf-8")
    for path in stale():
        (ROOT / path).unlink()


if __name__ == "__main__":
    write()

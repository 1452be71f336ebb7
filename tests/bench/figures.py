"""A figure: what was measured, next to the limit or peer that was measured in the same run."""

import json
import platform
import statistics
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import psutil

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Figure:
    """`ratio` is ours over the peer's; `held` is whether the target was reached."""

    id: str
    what: str
    unit: str
    ours: float
    peer_name: str
    peer: float
    target: str
    held: bool
    rounds: Sequence[tuple[float, float]] = ()

    @property
    def ratio(self) -> float:
        """Ours over the peer's."""
        return self.ours / self.peer if self.peer else float("nan")


async def in_turn(
    rounds: int, ours: Callable[[], Awaitable[float]], peer: Callable[[], Awaitable[float]]
) -> tuple[float, float, list[tuple[float, float]]]:
    """Measure both, one after the other, `rounds` times; the medians and every round."""
    taken = []
    for _ in range(rounds):
        taken.append((await ours(), await peer()))
    return statistics.median(o for o, _ in taken), statistics.median(p for _, p in taken), taken


def table(figures: Sequence[Figure]) -> str:
    """The figures as a Markdown table."""
    lines = ["| id | what | ours | peer or limit | ratio | target | |", "|---|---|---|---|---|---|---|"]
    for f in figures:
        lines.append(
            f"| {f.id} | {f.what} | {_shown(f.ours)} {f.unit} | {f.peer_name}: {_shown(f.peer)} {f.unit} "
            f"| {f.ratio:.2f} | {f.target} | {'pass' if f.held else 'short'} |"
        )
    return "\n".join(lines)


def save(figures: Sequence[Figure]) -> Path:
    """Write the figures with the machine they were taken on; the file."""
    at = datetime.now(UTC)
    machine = {
        "cores": psutil.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()}",
    }
    RESULTS.mkdir(exist_ok=True)
    file = RESULTS / f"{at:%Y-%m-%d}.json"
    file.write_text(
        json.dumps({"at": at.isoformat(), "machine": machine, "figures": [asdict(f) for f in figures]}, indent=1)
    )
    return file


def _shown(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"

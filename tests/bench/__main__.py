"""`make bench`: measure, print the table, save the results. `--short` only shows that every benchmark works."""

import asyncio
import sys
import tempfile
from pathlib import Path

from tests.bench import end_to_end_latency, footprint, growth, ingest, routing, simulation, watching
from tests.bench.figures import Figure, save, table


def main(*, short: bool) -> None:
    """Run all, one after the other."""
    rounds = 1 if short else 3
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="baton-bench-") as place:
        folder = Path(place)
        figures += ingest.measure(folder, seconds=2 if short else 8, rounds=rounds)
        figures += asyncio.run(routing.measure(folder, count=3000 if short else 50_000, rounds=rounds))
        sizes = (2_000, 200, 500, 1_000) if short else (1_000_000, 1_000, 50_000, 100_000)
        figures += watching.measure(folder, **dict(zip(watching.SIZES, sizes, strict=True)), idle_s=1 if short else 10)
        grown = (20_000, 2, 1000, 200) if short else (1_000_000, 30, 10_000, 3000)
        figures += growth.measure(folder, **dict(zip(growth.SIZES, grown, strict=True)))
        figures += end_to_end_latency.measure(folder, seconds=2 if short else 15, rounds=rounds)
        figures += simulation.measure(folder, leads=2000 if short else 100_000, rounds=rounds)
        figures += footprint.measure(folder, leads=500 if short else 10_000, rounds=rounds)
    print(table(figures))
    if not short:
        print(f"\nsaved in {save(figures)}")


if __name__ == "__main__":
    main(short="--short" in sys.argv)

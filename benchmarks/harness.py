"""The frame that all benchmarks share: it races the contestants of a row, measures memory and prints the table.

A module plugs in by defining ``ROWS``. Nothing heavy is built when it is imported, only when ``prepare`` is called::

    import pandas as pd
    from benchmarks.harness import Contestant, Race, Row

    CELLS = 100_000

    def prepare() -> Race:
        column = pd.Series(...)                                     # input, built once, outside of the clock
        return Race(
            ours=Contestant(lambda: ours(column), units=CELLS),     # units: cells (rows, MiB ...) that one run handles
            peer=Contestant(lambda: peer(column[:1000]), units=1000),  # a slow peer may have fewer
            floor=Contestant(lambda: bytes_moved(column), units=CELLS),  # the least that the machine must do
        )

    ROWS = (Row("keep the last 4 of 16 digits", prepare, peer="pandas str.replace", floor="one copy of the bytes"),)

``peer`` and ``floor`` may be None. All figures of a row are medians of ``rounds`` interleaved runs (ours, peer, floor,
ours, ...) after one that does not count, in one process. They are seconds of the wall's clock; where a row's ``clock``
is ``time.process_time`` they are the processor's, of all threads, which other work on the machine disturbs less.
Memory is the rise of the peak resident set over one run, of so many units, in a fresh process where ``prepare`` was
called and nothing ran before; a ``Contestant`` whose ``run`` starts a process itself says in ``in_process`` what to run
there instead. Peers are named in the extra ``bench``.
"""

import gc
import importlib
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Contestant:
    """Something to run, and how many units of work one run handles."""

    run: Callable[[], object]
    units: int = 1
    in_process: Callable[[], object] | None = None


@dataclass(frozen=True)
class Race:
    """Who runs in a row, on inputs that are already there."""

    ours: Contestant
    peer: Contestant | None = None
    floor: Contestant | None = None


@dataclass(frozen=True)
class Row:
    """One line of a benchmark's table."""

    work: str
    prepare: Callable[[], Race]
    peer: str = ""
    floor: str = ""
    unit: str = "cell"
    rounds: int = 5
    clock: Callable[[], float] = time.perf_counter


HEADINGS = (
    "work",
    "ours",
    "peer",
    "times as fast",
    "limit of the machine",
    "ours / limit",
    "memory: ours",
    "memory: peer",
)


def report(name: str) -> str:
    """Run the benchmark called ``name`` and return its table."""
    lines: list[Sequence[str]] = [HEADINGS]
    for number, row in enumerate(_rows(name)):
        race = row.prepare()
        seconds = _time(race, row)
        ours, peer, floor = (seconds.get(who) for who in ("ours", "peer", "floor"))
        lines.append(
            (
                row.work,
                _duration(ours, row.unit),
                f"{_duration(peer, row.unit)} ({row.peer})" if peer else "-",
                f"{peer / ours:,.1f}" if peer and ours else "-",
                f"{_duration(floor, row.unit)} ({row.floor})" if floor else "-",
                f"{ours / floor:,.1f}" if floor and ours else "-",
                _measure_memory(name, number, "ours"),
                _measure_memory(name, number, "peer") if race.peer else "-",
            )
        )
    return _table(lines)


def _rows(name: str) -> Sequence[Row]:
    rows: Sequence[Row] = importlib.import_module(f"benchmarks.{name}").ROWS
    return rows


def _time(race: Race, row: Row) -> dict[str, float]:
    """Median seconds for one unit, of runs that take turns, so that a slow moment of the machine meets them all."""
    contestants = {who: it for who in ("ours", "peer", "floor") if (it := getattr(race, who)) is not None}
    taken: dict[str, list[float]] = {who: [] for who in contestants}
    for number in range(row.rounds + 1):
        for who, contestant in contestants.items():
            gc.collect()
            start = row.clock()
            contestant.run()
            elapsed = row.clock() - start
            if number:  # the first round only warms caches and lazy imports
                taken[who].append(elapsed / contestant.units)
    return {who: statistics.median(values) for who, values in taken.items()}


def _measure_memory(name: str, number: int, who: str) -> str:
    child = subprocess.run(
        [sys.executable, "-m", "benchmarks.harness", name, str(number), who],
        cwd=Path(__file__).parent.parent,
        check=True,
        capture_output=True,
        text=True,
    )
    return child.stdout.strip()


def _run_for_memory(name: str, number: int, who: str) -> str:
    """Run one contestant in this fresh process; return the rise of the peak resident set."""
    contestant: Contestant = getattr(_rows(name)[number].prepare(), who)
    gc.collect()
    status, reset = Path("/proc/self/status"), Path("/proc/self/clear_refs")
    if not reset.exists():
        return "n/a"  # only Linux can set the peak back; without that the figure would be that of the preparation
    reset.write_text("5")
    before = _kilobytes(status, "VmRSS")
    (contestant.in_process or contestant.run)()
    rise = f"{max(0, _kilobytes(status, 'VmHWM') - before) / 1024:,.1f} MiB"
    return rise if contestant.units == 1 else f"{rise} / {contestant.units:,}"


def _kilobytes(status: Path, field: str) -> int:
    found = re.search(rf"^{field}:\s+(\d+) kB$", status.read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1])


def _duration(seconds: float | None, unit: str) -> str:
    if seconds is None:
        return "-"
    for factor, name in ((1, "s"), (1e3, "ms"), (1e6, "µs")):
        if seconds * factor >= 1:
            return f"{seconds * factor:,.3g} {name}/{unit}"
    return f"{seconds * 1e9:,.3g} ns/{unit}"


def _table(lines: Sequence[Sequence[str]]) -> str:
    """Lay the lines out as a Markdown table that is readable as plain text too."""
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADINGS))]
    laid = [" | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines]
    laid = [f"| {line} |" for line in laid]
    laid.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(laid)


if __name__ == "__main__":
    _, module, position, side = sys.argv
    print(_run_for_memory(module, int(position), side))

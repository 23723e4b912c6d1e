"""Run the benchmarks named on the command line, or all of them, and print a table for each."""

import importlib.metadata
import os
import pkgutil
import platform
import sys
from pathlib import Path

from benchmarks.harness import report

NAMES = sorted(module.name for module in pkgutil.iter_modules([str(Path(__file__).parent)]))
BENCHMARKS = [name for name in NAMES if name not in {"__main__", "detection_people", "harness"}]


def main(names: list[str]) -> int:
    """Print what machine this is, then the table of each benchmark asked for."""
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        print(f"no benchmark is called {', '.join(unknown)}; there are: {', '.join(BENCHMARKS)}", file=sys.stderr)
        return 2
    packages = ("numpy", "pandas", "pyarrow", "cryptography", "scikit-learn")
    versions = ", ".join(f"{package} {importlib.metadata.version(package)}" for package in packages)
    print(f"Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} cores; {versions}")
    for name in names or BENCHMARKS:
        print(f"\n## {name}\n\n{report(name)}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

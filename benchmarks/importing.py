"""What `import modelpriv` costs in a fresh process, against importing what every user of it has imported anyway."""

import importlib
import subprocess
import sys

from benchmarks.harness import Contestant, Race, Row

USUAL = ("sklearn.base", "sklearn.compose", "sklearn.pipeline", "pandas", "pyarrow")


def prepare() -> Race:
    """Import in a new interpreter each time: ours, the usual libraries, and nothing at all."""
    return Race(
        ours=_importing(("modelpriv",)),
        peer=_importing(USUAL),
        floor=_importing(("sys",)),
    )


def prepare_on_top() -> Race:
    """Import the usual libraries and then ours, against the usual libraries alone."""
    return Race(
        ours=_importing((*USUAL, "modelpriv")),
        peer=_importing(USUAL),
        floor=_importing(("sys",)),
    )


def _importing(modules: tuple[str, ...]) -> Contestant:
    code = f"import {', '.join(modules)}"

    def run() -> None:
        subprocess.run([sys.executable, "-c", code], check=True)

    def in_process() -> None:
        for module in modules:
            importlib.import_module(module)

    return Contestant(run, in_process=in_process)


ROWS = (
    Row("import modelpriv", prepare, peer="scikit-learn, pandas, pyarrow", floor="python -c ''", unit="import"),
    Row("import it after those", prepare_on_top, peer="those alone", floor="python -c ''", unit="import"),
)

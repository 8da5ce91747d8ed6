"""Executes the notebooks of docs/notebooks and stores their outputs.

``python docs/tools/run_notebooks.py`` writes the notebooks again; ``--check`` writes nothing and fails when an output
differs. A notebook runs in an empty folder, with this interpreter and an empty cache.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

from nmebench.files import write_atomically

NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"
KERNEL = "nmebench"
TIMEOUT = 280
"""Seconds for a cell."""
_NUMBER = re.compile(r"[-+]?\d+\.\d+")


def executed(path: Path, folder: Path) -> Any:
    """Return the notebook ``path`` with the outputs of a run in the empty folder ``folder``.

    Raises:
        nbclient.exceptions.CellExecutionError: a cell fails.
    """
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    work = folder / "work"
    work.mkdir()
    with _environment(folder):
        client = NotebookClient(
            notebook,
            kernel_name=KERNEL,
            timeout=TIMEOUT,
            record_timing=False,
            resources={"metadata": {"path": str(work)}},
        )
        client.execute()
    for cell in notebook.cells:
        cell.metadata = nbformat.NotebookNode()
    notebook.metadata = nbformat.from_dict(
        {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        }
    )
    return notebook


@contextmanager
def _environment(folder: Path) -> Iterator[None]:
    """Variables of a kernel that is this interpreter and knows neither the user's settings nor caches."""
    kernel = folder / "jupyter/kernels" / KERNEL
    kernel.mkdir(parents=True)
    command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    (kernel / "kernel.json").write_text(json.dumps({"argv": command, "display_name": KERNEL, "language": "python"}))
    names = ("JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR", "MPLCONFIGDIR")
    wanted = {name: str(folder / name.lower()) for name in names}
    wanted |= {"JUPYTER_PATH": str(folder / "jupyter"), "NMEBENCH_CACHE": str(folder / "cache"), "OMP_NUM_THREADS": "1"}
    wanted |= {"MPLBACKEND": "module://matplotlib_inline.backend_inline", "PYDEVD_DISABLE_FILE_VALIDATION": "1"}
    wanted["PYTHONWARNINGS"] = "ignore:IProgress not found"  # of tqdm, which timm imports
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def texts(notebook: Any) -> list[str]:
    """Return the text outputs of a notebook: what it prints, and the plain texts of its results."""
    found = []
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if output.output_type == "stream":
                found.append(f"{output.name}: {output.text}")
            elif "data" in output:
                found.append(str(output.data.get("text/plain", "")))
    return found


def same(found: list[str], stored: list[str]) -> bool:
    """Return whether texts agree; numbers with decimals may differ by 0.011, because processors round differently."""
    words = [[_NUMBER.sub("#", text).split() for text in texts_of] for texts_of in (found, stored)]
    if words[0] != words[1]:
        return False
    pairs = [zip(_NUMBER.findall(a), _NUMBER.findall(b), strict=True) for a, b in zip(found, stored, strict=True)]
    return all(abs(float(one) - float(other)) <= 0.011 for of_text in pairs for one, other in of_text)


def main() -> None:
    """Execute every notebook."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail when an output differs")
    check = parser.parse_args().check
    stale = []
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        with tempfile.TemporaryDirectory(prefix="nmebench-") as folder:
            notebook = executed(path, Path(folder))
        if not same(texts(notebook), texts(nbformat.read(path, as_version=4))):
            stale.append(path.name)
        if not check:
            write_atomically(path, nbformat.writes(notebook) + "\n")
    print(f"{'stale' if check else 'changed'}: {', '.join(stale) or 'none'}")
    if check and stale:
        sys.exit(1)


if __name__ == "__main__":
    main()

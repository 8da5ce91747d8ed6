"""The notebooks of docs/notebooks run, and their stored text outputs are those of a run."""

from __future__ import annotations

import sys
from pathlib import Path

import nbformat
import pytest
from run_notebooks import NOTEBOOKS, executed, same, texts

FILES = sorted(NOTEBOOKS.glob("*.ipynb"))


def test_both_notebooks_are_there() -> None:
    assert [file.stem for file in FILES] == ["score_your_predictions", "which_decoder_for_my_network"]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_outputs_are_stored(file: Path) -> None:
    notebook = nbformat.read(file, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert any("image/png" in output.get("data", {}) for cell in code for output in cell.outputs)
    assert "/tmp" not in "".join(texts(notebook))
    assert "/home" not in file.read_text(encoding="utf-8")


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_run_gives_the_stored_texts(file: Path, tmp_path: Path) -> None:
    found = executed(file, tmp_path)
    stored = nbformat.read(file, as_version=4)
    assert same(texts(found), texts(stored)), texts(found)


def test_texts_that_differ_are_found() -> None:
    assert same(["NME 4.37"], ["NME 4.38"])
    assert not same(["NME 4.37"], ["NME 4.39"])
    assert not same(["NME 4.37, better"], ["NME 4.37, worse"])
    assert not same(["16 faces"], ["17 faces"])
    assert not same([], ["NME 4.37"])


def test_the_kernel_is_this_interpreter(tmp_path: Path) -> None:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("import sys\nprint(sys.executable)")])
    nbformat.write(notebook, tmp_path / "where.ipynb")
    (tmp_path / "run").mkdir()
    assert texts(executed(tmp_path / "where.ipynb", tmp_path / "run")) == [f"stdout: {sys.executable}\n"]


def test_a_class_of_a_notebook_can_be_measured(tmp_path: Path) -> None:
    """``__main__`` of a kernel has no file: the class runs, and its cell is part of the provenance."""
    cells = [
        "import torch\nimport nmebench as nb\nfrom nmebench import synthface\n"
        "synthface.make('faces', faces=2, seed=1, workers=1)",
        "class Net(torch.nn.Module):\n    def forward(self, x):\n"
        "        return x.mean((2, 3))[:, :1] * 0 + torch.linspace(0.2, 0.8, 196)",
        "net = nb.Model(Net(), input_size=(64, 64), mean=(0, 0, 0), std=(255, 255, 255), output='landmarks', "
        "unit='crop-fraction')\nrun = nb.run('synthface:faces', net, engine='torch', pictures=False)\n"
        "[(source.name, source.used_by, len(source.sha256)) for source in run.record.provenance.plugins]",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    nbformat.write(notebook, tmp_path / "class.ipynb")
    (tmp_path / "run").mkdir()
    assert texts(executed(tmp_path / "class.ipynb", tmp_path / "run"))[-1] == "[('__main__', ['model Net'], 64)]"

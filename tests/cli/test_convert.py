"""The advice of ``data convert`` on the photographs."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from few_faces import write_few_faces

from nmebench.__main__ import main


@pytest.mark.parametrize("absolute", [False, True])
def test_link_leads_to_the_photographs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], absolute: bool
) -> None:
    """The printed command works in the folder of the call; a relative target is relative to the link."""
    monkeypatch.chdir(tmp_path)
    write_few_faces(Path("my data/WFLW"))
    folder = tmp_path / "my data/WFLW" if absolute else Path("my data/WFLW")
    assert main(["data", "convert", f"wflw:{folder}", "-o", "out/of it", "--name", "mine"]) == 0
    (command,) = re.findall("`(ln -s .*)`", capsys.readouterr().out)
    subprocess.run(command, shell=True, check=True)
    assert (tmp_path / "out/of it/images").resolve() == (tmp_path / "my data/WFLW/WFLW_images").resolve()
    assert any((tmp_path / "out/of it/images").iterdir())

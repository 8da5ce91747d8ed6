"""A sweep is complete, reproducible and resumable, and runs the network once for all decoders."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from nmebench import engines, scoring
from nmebench.errors import InputError
from nmebench.geometry import images
from nmebench.runs.run_store import Run
from nmebench.sweep import SweepConfiguration, execute
from nmebench.sweep.configuration import validate


def _configuration(few_faces: Path, small_card: Path, **changes: Any) -> SweepConfiguration:
    return validate(
        {
            "data": f"wflw:{few_faces}",
            "models": [str(small_card), "oracle"],
            "decoders": ["argmax", "dark"],
            "flip": ["none", "flip", "flip+shift"],
            "engine": "torch",
            "threads": 1,
            "batch_size": 4,
        }
        | changes,
        where="a test",
    )


def _bytes(run: Path) -> dict[str, str]:
    """Hashes of every file that two equal runs must share."""
    return {
        str(path.relative_to(run)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(run.rglob("*"))
        if path.is_file() and path.name != "timings.json"
    }


@pytest.fixture(scope="module")
def run(few_faces: Path, small_card: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return execute(_configuration(few_faces, small_card), tmp_path_factory.mktemp("runs") / "run")


def test_faces_in_memory_equal_those_of_the_file(run: Run) -> None:
    """The sweep scores the faces that it wrote without reading them again."""
    kept, read = run.faces, Run.open(run.path).faces
    assert kept is not read
    assert (list(kept.image), kept.line.tolist()) == (list(read.image), read.line.tolist())
    for name in ("landmarks", "normaliser", "centre", "size"):
        assert getattr(kept, name).tobytes() == getattr(read, name).tobytes()
    for name in ("subsets", "normalisers"):
        assert {key: list(value) for key, value in getattr(kept, name).items()} == {
            key: list(value) for key, value in getattr(read, name).items()
        }
    assert kept.clusters.tolist() == read.clusters.tolist()


def test_run_has_every_cell_and_subset(run: Run) -> None:
    assert [(c.model, c.decoder, c.flip) for c in run.record.cells] == [
        (model, decoder, flip)
        for model in ("small", "oracle")
        for decoder in ("argmax", "dark")
        for flip in ("none", "flip", "flip+shift")
    ]
    assert len(run.scores) == 12 * 7
    assert np.isfinite(run.scores[["nme", "fr10", "auc10"]].to_numpy()).all()
    assert set(run.scores["faces"][run.scores["subset"] == "test"]) == {11}
    assert run.record.dataset.describe() == "11 of 2500 faces"


def test_two_runs_give_the_same_bytes(run: Run, few_faces: Path, small_card: Path, tmp_path: Path) -> None:
    again = execute(_configuration(few_faces, small_card), tmp_path / "again")
    assert _bytes(again.path) == _bytes(run.path)


def test_simcc_is_measured_end_to_end(few_faces: Path, tmp_path: Path) -> None:
    """All decoders and flip tests of a network that outputs distributions; none needs a heatmap."""
    configuration = {
        "data": f"wflw:{few_faces}",
        "models": ["synthface-mobilenetv3-simcc"],
        "decoders": ["all"],
        "flip": ["none", "flip", "flip+shift"],
        "engine": "torch",
        "threads": 1,
    }
    found = execute(validate(configuration, where="a test"), tmp_path / "run")
    assert {cell.decoder for cell in found.record.cells} == {"simcc", "simcc-dark"}
    assert np.isfinite(found.scores["nme"]).all()
    assert found.record.models[0].heatmap_size is None


def test_batch_size_does_not_change_a_landmark(run: Run, few_faces: Path, small_card: Path, tmp_path: Path) -> None:
    other = execute(_configuration(few_faces, small_card, batch_size=11), tmp_path / "other")
    for cell in run.record.cells:
        if cell.decoder == "argmax" or cell.model == "oracle":
            np.testing.assert_allclose(other.landmarks(cell.id), run.landmarks(cell.id), atol=1e-3)


def test_scores_can_be_computed_again_from_the_raw_landmarks(run: Run) -> None:
    before = (run.path / "scores.csv").read_bytes()
    (run.path / "scores.csv").unlink()
    (run.path / "per_face.parquet").unlink()
    scoring.score(Run.open(run.path))
    assert (run.path / "scores.csv").read_bytes() == before


def test_sentences_about_parts_that_were_not_run_are_stored(few_faces: Path, small_card: Path, tmp_path: Path) -> None:
    configuration = _configuration(few_faces, small_card, models=["oracle"], decoders=["dark"], flip=["none"])
    run = execute(configuration, tmp_path / "run", not_run=["WFLW was not run."])
    assert Run.open(run.path).record.not_run == ["WFLW was not run."]


def test_limit_takes_the_first_faces(run: Run, few_faces: Path, small_card: Path, tmp_path: Path) -> None:
    limited = execute(_configuration(few_faces, small_card, limit=5), tmp_path / "limited")
    cell = "oracle__dark__none__landmarks"
    np.testing.assert_allclose(limited.landmarks(cell), run.landmarks(cell)[:5], atol=1e-3)
    assert limited.record.dataset.describe() == "5 of 2500 faces"


class _Killed(BaseException):
    pass


class _Counting(engines.Engine):
    """An engine that counts its batches and raises ``_Killed`` after ``last`` of them."""

    def __init__(self, engine: Any, calls: list[int], last: int | None) -> None:
        self.engine, self.calls, self.last = engine, calls, last
        self.name, self.details = engine.name, engine.details

    def prepare(self, images: torch.Tensor) -> None:
        self.engine.prepare(images)

    def __call__(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        if self.last is not None and len(self.calls) >= self.last:
            raise _Killed
        self.calls.append(len(images))
        return self.engine(images)


def _count(monkeypatch: pytest.MonkeyPatch, last: int | None = None) -> list[int]:
    calls: list[int] = []
    create = engines.create
    monkeypatch.setattr(engines, "create", lambda *a, **k: _Counting(create(*a, **k), calls, last))
    monkeypatch.setattr("nmebench.engines.interface.check_outputs", lambda *a, **k: 0.0)
    return calls


def test_network_runs_once_per_face_for_any_number_of_decoders(
    few_faces: Path, small_card: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    faces = {}
    for decoders in (["argmax"], ["argmax", "quarter-offset", "dark", "dark:kernel=17"]):
        for flip in (["none"], ["none", "flip", "flip+shift"]):
            with monkeypatch.context() as patch:
                calls = _count(patch)
                configuration = _configuration(
                    few_faces, small_card, models=[str(small_card)], decoders=decoders, flip=flip
                )
                execute(configuration, tmp_path / f"{len(decoders)}-{len(flip)}")
                faces[len(decoders), len(flip)] = sum(calls)
    assert faces == {(1, 1): 11, (4, 1): 11, (1, 3): 22, (4, 3): 22}


@pytest.mark.parametrize("last", [pytest.param(n, id=f"after {n} forwards") for n in (0, 1, 2, 3, 5)])
def test_killed_run_resumes_at_the_unfinished_batch(
    run: Run, few_faces: Path, small_card: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, last: int
) -> None:
    configuration = _configuration(few_faces, small_card)
    with monkeypatch.context() as patch:
        _count(patch, last)
        with pytest.raises(_Killed):
            execute(configuration, tmp_path / "run")
    assert not (tmp_path / "run/run.json").exists()
    with monkeypatch.context() as patch:
        calls = _count(patch)
        again = execute(configuration, tmp_path / "run")
    assert len(calls) == 6 - 2 * (last // 2)  # a batch is two forwards; half a batch is none
    expected = _bytes(run.path)
    got = _bytes(again.path)
    for name in ("run.json",):  # the stand-in for the engine's check writes 0.0 there
        expected.pop(name), got.pop(name)
    assert got == expected


@pytest.mark.parametrize("engine", ["torch", "openvino"])
def test_run_that_was_killed_after_its_last_batch_ends_with_the_same_bytes(
    few_faces: Path, small_card: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: str
) -> None:
    """The engine isn't even prepared then; the stored facts about it are used."""
    if engine != "torch":
        pytest.importorskip(engine)
    configuration = _configuration(few_faces, small_card, engine=engine)
    with monkeypatch.context() as patch:
        patch.setattr(scoring, "score", _raise_killed)
        with pytest.raises(_Killed):
            execute(configuration, tmp_path / "run")
    again = execute(configuration, tmp_path / "run")
    uninterrupted = execute(configuration, tmp_path / "uninterrupted")
    assert _bytes(again.path) == _bytes(uninterrupted.path)
    assert again.record.models[0].engine_details == uninterrupted.record.models[0].engine_details != {}


def test_batch_is_decoded_while_the_next_is_computed(
    few_faces: Path, small_card: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The network is one batch ahead and no more, which bounds the memory and the work that a kill loses."""
    from nmebench.sweep.cell_results import CellResults

    events: list[str] = []

    class Recording(_Counting):
        started = 0

        def start(self, images: torch.Tensor) -> Callable[[], dict[str, torch.Tensor]]:
            events.append(f"start {self.started}")
            self.started += 1
            return super().start(images)

    create, write = engines.create, CellResults.write
    monkeypatch.setattr(engines, "create", lambda *a, **k: Recording(create(*a, **k), [], None))
    monkeypatch.setattr("nmebench.engines.interface.check_outputs", lambda *a, **k: 0.0)
    monkeypatch.setattr(
        CellResults, "write", lambda self, batch, rest: (events.append(f"write {batch}"), write(self, batch, rest))[1]
    )
    execute(
        _configuration(few_faces, small_card, models=[str(small_card)], decoders=["dark"], flip=["none"]),
        tmp_path / "run",
    )
    assert events == ["start 0", "start 1", "write 0", "start 2", "write 1", "write 2"]


def test_changed_decoder_keeps_the_results_of_other_cells(
    few_faces: Path, small_card: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An interrupted sweep recomputes only the cells whose decoder changed."""
    written: list[str] = []
    from nmebench.sweep.cell_results import CellResults

    write = CellResults.write
    monkeypatch.setattr(
        CellResults, "write", lambda self, batch, results: (written.extend(results), write(self, batch, results))[1]
    )
    with monkeypatch.context() as patch:
        patch.setattr(scoring, "score", _raise_killed)
        with pytest.raises(_Killed):
            execute(_configuration(few_faces, small_card, models=["oracle"]), tmp_path / "run")
    first = set(written)
    written.clear()
    changed = _configuration(few_faces, small_card, models=["oracle"], decoders=["argmax", "dark:kernel=7"])
    execute(changed, tmp_path / "run")
    assert len(first) == 6
    assert len(set(written)) == 3
    assert not first & set(written)


def _raise_killed(*_: object) -> None:
    raise _Killed


def test_second_writer_is_refused(few_faces: Path, small_card: Path, tmp_path: Path) -> None:
    from nmebench.runs.run_writer import writing

    with (
        writing(tmp_path / "run", overwrite=False),
        pytest.raises(InputError, match="another nmebench is writing there"),
    ):
        execute(_configuration(few_faces, small_card), tmp_path / "run")


def test_network_of_another_scheme_is_refused(few_faces: Path, tmp_path: Path) -> None:
    from safetensors.torch import save_file

    from nmebench import models

    save_file(models.create("timm:mobilenetv3_small_050", points=68, width=8).state_dict(), tmp_path / "w.safetensors")
    (tmp_path / "c.toml").write_text(
        'name = "c"\narchitecture = "timm:mobilenetv3_small_050"\nweights = "w.safetensors"\n'
        "[options]\npoints = 68\nwidth = 8\n[input]\nsize = [64, 64]\n"
    )
    configuration = validate(
        {"data": f"wflw:{few_faces}", "models": [str(tmp_path / "c.toml")], "engine": "torch"}, where="a test"
    )
    with pytest.raises(InputError, match=r"68 landmarks.*98"):
        execute(configuration, tmp_path / "run")


@pytest.mark.parametrize("face", [0, -1])
def test_engine_that_is_wrong_on_the_first_or_last_face_of_a_batch_is_refused(
    few_faces: Path, small_card: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, face: int
) -> None:
    create = engines.create

    def off(*arguments: Any, **options: Any) -> Any:
        engine = create(*arguments, **options)
        run = type(engine).__call__

        def wrong(self: Any, images: torch.Tensor) -> dict[str, torch.Tensor]:
            outputs = run(self, images)
            outputs["heatmaps"][face] += 0.01
            return outputs

        monkeypatch.setattr(type(engine), "__call__", wrong)
        return engine

    with monkeypatch.context() as patch:
        patch.setattr(engines, "create", off)
        configuration = _configuration(few_faces, small_card, models=[str(small_card)])
        with pytest.raises(InputError, match=r"differs from plain torch by 0\.01"):
            execute(configuration, tmp_path / "run")
    assert not (tmp_path / "run" / "run.json").exists()


def test_stages_add_up_to_at_most_the_total_and_every_cell_is_timed(run: Run) -> None:
    timings = run.timings
    assert 0 < sum(timings["stages"].values()) <= timings["total"]
    assert {"plan", "forward", "flip", "decode", "store", "score"} <= set(timings["stages"])
    assert {"read", "crop", "normalise", "decode argmax", "decode dark"} <= set(timings["workers"])
    assert set(timings["cells"]) == {cell.id for cell in run.record.cells}
    assert set(timings["models"]) == {"small", "oracle"}


def test_kept_heatmaps_replace_the_network_in_a_later_sweep(
    few_faces: Path, small_card: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NMEBENCH_CACHE", str(tmp_path / "cache"))
    options = {"models": [str(small_card)], "keep_heatmaps": True, "pictures": False}
    calls = _count(monkeypatch)
    first = execute(_configuration(few_faces, small_card, **options), tmp_path / "first")
    assert sum(calls) == 22
    calls.clear()
    wider = ["argmax", "quarter-offset", "dark"]
    second = execute(_configuration(few_faces, small_card, decoders=wider, **options), tmp_path / "second")
    assert sum(calls) == 8  # the first batch and its mirror image, on which the engine is checked
    for cell in first.record.cells:
        np.testing.assert_array_equal(second.landmarks(cell.id), first.landmarks(cell.id))


def test_damaged_kept_heatmaps_are_computed_again(
    few_faces: Path, small_card: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NMEBENCH_CACHE", str(tmp_path / "cache"))
    configuration = _configuration(few_faces, small_card, models=[str(small_card)], keep_heatmaps=True, pictures=False)
    first = execute(configuration, tmp_path / "first")
    for file in (tmp_path / "cache/heatmaps").rglob("*.batch"):
        stored = bytearray(file.read_bytes())
        stored[len(stored) // 2] ^= 1
        file.write_bytes(stored)
    assert _bytes(execute(configuration, tmp_path / "second").path) == _bytes(first.path)


def test_kept_crops_replace_the_photographs(
    few_faces: Path, small_card: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NMEBENCH_CACHE", str(tmp_path / "cache"))
    configuration = _configuration(few_faces, small_card, models=[str(small_card)], keep_crops=True)
    first = execute(configuration, tmp_path / "first")
    read = []
    monkeypatch.setattr(images, "read", lambda path: read.append(path))
    assert _bytes(execute(configuration, tmp_path / "second").path) == _bytes(first.path)
    assert read == []


def test_kept_heatmaps_stay_within_their_budget(few_faces: Path, small_card: Path, tmp_path: Path) -> None:
    configuration = _configuration(few_faces, small_card, keep_heatmaps=True, cache_budget_gib=1e-4)
    with pytest.raises(InputError, match="cache-budget"):
        execute(configuration, tmp_path / "run")

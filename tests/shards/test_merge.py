"""Merged shards: the bytes of the whole run, and refusals of shards that don't fit together."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nmebench import engines, models
from nmebench.errors import InputError
from nmebench.runs.sweep_folder import SweepFolder
from nmebench.shards import Shard, ShardFolder, compute_shard, merge
from nmebench.shards.shard_folder import BATCHES
from nmebench.sweep import SweepConfiguration, execute_several
from nmebench.sweep.batch_store import BatchStore
from nmebench.sweep.configuration import validate_several

from .conftest import RAW

Edit = Callable[[Path, Callable[[dict[str, Any]], None]], None]
OTHERS = {"run.json", "timings.json"}


def files(run: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(run)): path.read_bytes()
        for path in sorted(run.rglob("*"))
        if path.is_file() and path.name not in OTHERS
    }


def shards(root: Path) -> list[Path]:
    return [root / f"S_{index}" for index in (1, 2, 3)]


def refusal(root: Path, *paths: Path) -> str:
    """The message of a refused merge, without the path of the folder; nothing is written."""
    with pytest.raises(InputError) as caught:
        merge(paths or shards(root), root / "merged")
    assert not (root / "merged").exists() or not (root / "merged/run.json").exists()
    return str(caught.value).replace(f"{root}{os.sep}", "")


def test_merged_shards_have_the_bytes_of_the_whole_run(
    computed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a merge needs no network and no engine")

    monkeypatch.setattr(engines, "create", refuse)
    monkeypatch.setattr(models, "build", refuse)
    merge([computed / "S_2", computed / "S_3", computed / "S_1"], tmp_path / "merged", command=["nmebench", "merge"])
    assert files(tmp_path / "merged") == files(computed / "whole")
    whole, merged = (json.loads((run / "run.json").read_text()) for run in (computed / "whole", tmp_path / "merged"))
    assert [shard["index"] for shard in merged["shards"]] == [1, 2, 3]
    assert merged["shards"][1]["sha256"] == ShardFolder.open(computed / "S_2").sha256
    assert merged["shards"][1]["command"][-1] == "S_2"
    assert merged["shards"][1]["host"] == whole["provenance"]["host"]
    assert merged["provenance"].pop("command") == ["nmebench", "merge"]
    whole["provenance"].pop("command")
    assert merged.pop("shards")
    whole.pop("shards")
    assert merged == whole


def test_the_timings_are_sums_over_the_shards(computed: Path, tmp_path: Path) -> None:
    run = merge(shards(computed), tmp_path / "merged")
    totals = [ShardFolder.open(shard).record.parts[0].timings["total"] for shard in shards(computed)]
    assert run.timings["total"] == pytest.approx(sum(totals) + run.timings["stages"]["merge"], abs=1e-3)  # type: ignore[union-attr]
    assert run.timings["faces"] == 20  # type: ignore[union-attr]


def test_an_interrupted_shard_resumes(
    configuration: SweepConfiguration, computed: Path, tmp_path: Path, edit: Edit
) -> None:
    class StoppedError(Exception):
        pass

    def stop(_: str, done: int, __: int) -> None:
        if done:
            raise StoppedError

    with pytest.raises(StoppedError):
        compute_shard([configuration], Shard(1, 3), tmp_path / "S", progress=stop)
    with pytest.raises(InputError, match="holds the unfinished shard 1/3; run its command again, which resumes it"):
        ShardFolder.open(tmp_path / "S")
    with pytest.raises(
        InputError, match="holds the unfinished shard 1/3, not 2/3; give another folder with -o, or --ov"
    ):
        compute_shard([configuration], Shard(2, 3), tmp_path / "S")
    first: list[int] = []
    compute_shard([configuration], Shard(1, 3), tmp_path / "S", progress=lambda _, done, __: first.append(done))
    assert first[0] == 4  # the batch that was finished
    merge([tmp_path / "S", computed / "S_2", computed / "S_3"], tmp_path / "merged")
    assert files(tmp_path / "merged") == files(computed / "whole")


def test_a_shard_without_batches_is_needed_and_empty(tmp_path: Path) -> None:
    several = validate_several({**RAW, "models": ["oracle"], "limit": 8}, where="the test")
    for index in (1, 2, 3):
        compute_shard(several, Shard(index, 3), tmp_path / f"S_{index}")
    held = [len(ShardFolder.open(shard).record.parts[0].networks[0].results) for shard in shards(tmp_path)]
    assert held == [1, 0, 1]
    merge(shards(tmp_path), tmp_path / "merged")


def test_several_data_sets_are_merged_into_a_folder_of_runs(tmp_path: Path, two_data_sets: list[str]) -> None:
    configurations = validate_several({**RAW, "models": ["oracle"], "data": two_data_sets}, where="the test")
    whole = execute_several(configurations, tmp_path / "whole")
    for index in (1, 2):
        compute_shard(configurations, Shard(index, 2), tmp_path / f"S_{index}")
    merged = merge([tmp_path / "S_1", tmp_path / "S_2"], tmp_path / "merged")
    assert isinstance(merged, SweepFolder)
    assert merged.record == whole.record
    for folder in whole.runs:
        assert files(merged.path / folder) == files(whole.path / folder)


@pytest.fixture
def two_data_sets(tmp_path: Path) -> list[str]:
    from nmebench.synthface.layout import make

    make(tmp_path / "drawn", workers=1, faces=6, seed=3)
    return ["synthface", f"synthface:{tmp_path / 'drawn'}"]


def set_field(*path: str | int, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(content: dict[str, Any]) -> None:
        for step in path[:-1]:
            content = content[step]  # type: ignore[index]
        content[path[-1]] = value  # type: ignore[index]

    return change


NETWORK = ("parts", 0, "networks", 0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (set_field("parts", 0, "configuration", "decoders", value=["dark"]), "decoders argmax,dark / dark"),
        (set_field("parts", 0, "configuration", "limit", value=None), "limit 20 / none"),
        (set_field("provenance", "nmebench", value="9.9"), "other version of nmebench, "),
        (set_field("provenance", "code_sha256", value="f" * 64), "other code of nmebench, "),
        (set_field("provenance", "packages", "numpy", value="0.1"), "other packages: numpy "),
        (set_field("provenance", "python", value="2.7"), "other Python: "),
        (set_field("provenance", "threads", value=4), "1 threads / 4 threads, which change the last bits"),
        (set_field("engine", value="cuda"), "engine torch / cuda (give --engine)"),
        (set_field("parts", 0, "dataset", "files", 0, "sha256", value="e" * 64), "other annotations of synthface, "),
        (set_field("parts", 0, "dataset", "faces", value=21), "20 faces of synthface / 21 faces"),
        (set_field("parts", 0, "faces_sha256", value="e" * 64), "other landmarks of synthface, "),
        (set_field(*NETWORK, "weights_sha256", value="e" * 64), "other weights of synthface-mobilenetv3 (landmarks), "),
        (
            set_field(*NETWORK, "batch_size", value=8),
            "synthface-mobilenetv3 (landmarks) in batches of 4 / 8 faces (give ",
        ),
        (set_field(*NETWORK, "crops_key", value="e" * 64), "other photographs of synthface, or boxes of synthface-"),
        (set_field(*NETWORK, "key", value="e" * 64), "other inputs of synthface-mobilenetv3 (landmarks): keys "),
        (
            set_field(*NETWORK, "cells", 1, "key", value="e" * 64),
            "other decoder of the cell synthface-mobilenetv3__dark",
        ),
        (set_field(*NETWORK, "box", value="rect"), "networks synthface-mobilenetv3 (landmarks), oracle (landmarks) / "),
        (set_field(*NETWORK, "convention", value="udp"), "other records of synthface-mobilenetv3 (landmarks)"),
        (set_field("parts", 0, "boxes", value="e" * 64), "other boxes of synthface, "),
        (set_field("parts", 0, "models", 0, "engine", value="openvino"), "engine torch / openvino of synthface-mob"),
    ],
)
def test_shards_of_another_sweep_are_refused_with_both_values(
    copied: Path, edit: Edit, change: Callable[[dict[str, Any]], None], message: str
) -> None:
    edit(copied / "S_2", change)
    found = refusal(copied)
    assert found.startswith(f"S_1 and S_2 don't fit together: {message}")
    assert found.endswith("; compute all shards with the same options, files and environment")
    assert "\n" not in found


def test_a_missing_shard_is_named_with_its_command(computed: Path, copied: Path) -> None:
    assert refusal(copied, copied / "S_1", copied / "S_3") == (
        "shard 2 of 3 is missing; compute 2 with: nmebench run sweep.toml --shard 2/3 -o S_2"
    )
    assert refusal(copied, copied / "S_3").startswith("2 shards 1, 2 of 3 are missing; compute 1 with: nmebench run ")


def test_a_shard_given_twice_and_another_split_are_refused(
    configuration: SweepConfiguration, copied: Path, edit: Edit
) -> None:
    assert refusal(
        copied, copied / "S_1", copied / "S_1"
    ) == f"{copied / 'S_1'}: is given twice; give each shard once".replace(f"{copied}{os.sep}", "")
    edit(copied / "S_2", set_field("index", value=1))
    assert refusal(copied) == "S_1 and S_2 are both shard 1/3; give each shard once"
    edit(copied / "S_2", set_field("count", value=4))
    assert refusal(copied).startswith("S_1 is shard 1/3 and S_2 is shard 1/4: they are of different splits")


def test_folders_without_a_shard_are_refused(computed: Path, copied: Path) -> None:
    assert "holds a complete run, not a shard" in refusal(copied, computed / "whole")
    assert refusal(copied, copied / "nothing").startswith("nothing: no such folder")
    (copied / "empty").mkdir()
    assert refusal(copied, copied / "empty").startswith("empty: holds no shard (shard.json is missing)")
    (copied / "S_2/shard.json").write_text("{")
    assert "shard S_2/shard.json" in refusal(copied).replace(str(copied) + os.sep, "")
    (copied / "S_2/shard.json").write_text('{"schema_version": 7}')
    assert refusal(copied).startswith("S_2/shard.json: damaged (schema_version: must be 1, not")


def results_of(shard: Path, network: int) -> tuple[BatchStore, int]:
    record = ShardFolder.open(shard).record.parts[0].networks[network]
    return BatchStore(shard / BATCHES / "results" / record.key[:32]), record.first


def test_a_damaged_batch_is_named_with_the_command_that_computes_it(copied: Path) -> None:
    store, first = results_of(copied / "S_1", 0)
    file = store.folder / f"{first}.batch"
    sealed = bytearray(file.read_bytes())
    sealed[-1] ^= 1
    file.write_bytes(sealed)
    again = "compute it again with: nmebench run sweep.toml --shard 1/3 -o S_1 --overwrite"
    assert refusal(copied).endswith(f"{first}.batch: damaged; {again}")
    file.unlink()
    assert refusal(copied).endswith(f"{first}.batch: missing; {again}")


def test_a_batch_in_the_place_of_another_is_refused(copied: Path) -> None:
    store, first = results_of(copied / "S_1", 0)
    other = store.read_sealed(first + 1)
    assert other is not None
    store.write_sealed(first, other)
    assert "holds the batch" in refusal(copied)


def test_a_batch_of_other_faces_is_refused(copied: Path, edit: Edit) -> None:
    store, first = results_of(copied / "S_1", 0)
    arrays = store.read(first)
    assert arrays is not None
    store.write(first, {**arrays, "landmarks": arrays["landmarks"][:, :2]})
    sealed = store.read_sealed(first)
    assert sealed is not None
    edit(copied / "S_1", set_field(*NETWORK, "results", 0, value=sealed[:32].hex()))
    assert "the shape of landmarks is (2, 2, 98, 2), not (-1, 4, 98, 2)" in refusal(copied)


def test_overwrite_computes_the_damaged_batch_alone(
    configuration: SweepConfiguration, computed: Path, copied: Path
) -> None:
    store, first = results_of(copied / "S_1", 0)
    (store.folder / f"{first}.batch").unlink()
    with pytest.raises(InputError, match="already holds a shard; give another folder with -o, or --overwrite"):
        compute_shard([configuration], Shard(1, 3), copied / "S_1")
    seen: list[tuple[int, int]] = []
    compute_shard(
        [configuration],
        Shard(1, 3),
        copied / "S_1",
        overwrite=True,
        progress=lambda _, done, of: seen.append((done, of)),
    )
    assert seen[0] == (seen[0][1] - 4, seen[0][1])
    merge(shards(copied), copied / "merged")
    assert files(copied / "merged") == files(computed / "whole")


def test_other_annotations_are_refused(copied: Path, tmp_path: Path) -> None:
    from nmebench.synthface.layout import make

    make(tmp_path / "drawn", workers=1, faces=20, seed=3)
    with pytest.raises(InputError, match=r"has the hash .*, but the shards were computed with"):
        merge(shards(copied), copied / "merged", data=[f"synthface:{tmp_path / 'drawn'}"])
    with pytest.raises(InputError, match="2 --data for 1 data sets of the shards; give one for each, or none"):
        merge(shards(copied), copied / "merged", data=["synthface", "synthface"])


def test_a_shard_alone_chooses_no_code_that_runs_here(copied: Path, edit: Edit) -> None:
    for shard in shards(copied):
        edit(shard, set_field("parts", 0, "configuration", "data", value="python:evil.py:load"))
    assert "which runs code: name it with --data python:evil.py:load to run it here" in refusal(copied)


def test_a_merge_with_other_code_is_refused(copied: Path, edit: Edit) -> None:
    for shard in shards(copied):
        edit(shard, set_field("provenance", "packages", "numpy", value="0.1"))
    assert refusal(copied).startswith("S_1 and this nmebench don't fit together: other packages: numpy 0.1 / ")


def test_a_run_is_replaced_with_overwrite_only(computed: Path, tmp_path: Path) -> None:
    merge(shards(computed), tmp_path / "merged")
    with pytest.raises(InputError, match="already holds a run"):
        merge(shards(computed), tmp_path / "merged")
    merge(shards(computed), tmp_path / "merged", overwrite=True)
    assert files(tmp_path / "merged") == files(computed / "whole")

"""``reproduce --wflw`` from an empty cache to a checked report, with a local server and two interruptions."""

from __future__ import annotations

import hashlib
import io
import json
import re
import signal
import tarfile
from pathlib import Path

import pandas as pd
import pytest

from nmebench.models import card as cards

LIST = "WFLW_annotations/list_98pt_rect_attr_train_test/list_98pt_rect_attr_test.txt"
#: Sizes of WFLW's subsets, in the order of the list's attribute columns.
COUNTS = {"largepose": 326, "expression": 314, "illumination": 698, "makeup": 206, "occlusion": 736, "blur": 773}

CARD = """
name = "tiny-mmpose0"
architecture = "hrnetv2-w18"
licence = "for tests"
weights = {weights}

[input]
size = [32, 32]

[test]
decoder = "dark"
flip = false
"""

REPORTED = """
[reported.wflw."first measured"]
nme = {{ {nme} }}
source = "an earlier run of this test"
tolerance = 0.01
"""

MIRROR = """
[groups]
wflw = ["wflw-annotations", "wflw-images"]

[sources.wflw-images]
file = "WFLW_images.tar.gz"
drive = "FILEID"
drive_base = "{base}"
page = "{base}/page"
max_bytes = 100_000_000
unpacks_to = "wflw/WFLW_images"
top = "WFLW_images"
expects = ["*/*.jpg"]
max_unpacked = 200_000_000
max_files = 1000
licence = "for research"

[sources.wflw-annotations]
file = "WFLW_annotations.tar.gz"
url = "{base}/WFLW_annotations.tar.gz"
page = "{base}/page"
max_bytes = 100_000_000
unpacks_to = "wflw/WFLW_annotations"
top = "WFLW_annotations"
expects = ["list_98pt_rect_attr_train_test/list_98pt_rect_attr_test.txt"]
max_unpacked = 200_000_000
max_files = 100
licence = "for research"
"""

ELSEWHERE = """
[sources.{name}]
file = "{name}.pth"
by_hand = true
page = "https://example.org"
max_bytes = 1
"""


def whole_wflw(data: Path, out: Path) -> Path:
    """WFLW's test set in its own layout: 2500 lines and the six subset sizes, with drawn photographs."""
    lines = (data / LIST).read_text().splitlines()
    written, subsets = [], {name: [] for name in COUNTS}
    for number in range(2500):
        tokens = lines[number % len(lines)].split()
        for column, (name, count) in enumerate(COUNTS.items(), start=200):
            inside = number * 7919 % 2500 < count
            tokens[column] = str(int(inside))
            if inside:
                subsets[name].append(" ".join([*tokens[:196], tokens[-1]]))
        written.append(" ".join(tokens))
    files = {LIST: written, "WFLW_annotations/list_98pt_test/list_98pt_test.txt":
             [" ".join([*(t := line.split())[:196], t[-1]]) for line in written]}  # fmt: skip
    files |= {f"WFLW_annotations/list_98pt_test/list_98pt_test_{name}.txt": rows for name, rows in subsets.items()}
    for name, rows in files.items():
        path = out / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(rows) + "\n")
    (out / "WFLW_images").symlink_to(data / "WFLW_images")
    return out


def packed(root: Path, top: str) -> bytes:
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w:gz", dereference=True) as archive:
        archive.add(root / top, arcname=top)
    return sink.getvalue()


def measured(root: Path, world, cli, folder: Path) -> dict[str, float]:
    """NME by subset of the same network on the same files, without any download."""
    folder.mkdir()
    card = folder / "local.toml"
    (folder / "local.pth").write_bytes(world.weights)
    card.write_text(CARD.format(weights='"local.pth"'))
    ended = cli("run", "--data", f"wflw:{root}", "--model", card, "--engine", "torch", "-o", folder / "run")
    assert ended.code == 0, ended.err
    return dict(pd.read_csv(folder / "run" / "scores.csv").set_index("subset")["nme"])


@pytest.mark.parametrize(
    "whole", [pytest.param(False, id="96-faces"), pytest.param(True, id="2500-faces", marks=pytest.mark.slow)]
)
def test_empty_cache_to_checked_report(whole, play, server, world, start, until, cli, tmp_path):
    # The files of the real servers.
    root = whole_wflw(world.data, tmp_path / "there") if whole else world.many
    faces, code, status = (2500, 0, "reproduced") if whole else (96, 3, "not comparable")
    images, annotations = packed(root, "WFLW_images"), packed(root, "WFLW_annotations")
    name = f"hrnetv2_w18_wflw_256x256_dark-{hashlib.sha256(world.weights).hexdigest()[:8]}_20210125.pth"
    server.on("/WFLW_annotations.tar.gz", play.serve(annotations))
    server.on("/uc", play.serve(play.drive_page(server.url("/download")), mime="text/html"))
    server.on("/download", play.serve(images, stall_at=len(images) // 2), play.serve(images))
    server.on(f"/{name}", play.serve(world.weights))
    mirror = tmp_path / "mirror.toml"
    # No shipped card may use the real servers.
    elsewhere = "".join(ELSEWHERE.format(name=name) for name in cards.shipped())
    mirror.write_text(MIRROR.format(base=server.url("")) + elsewhere)
    env = {"NMEBENCH_SOURCES": str(mirror)}

    # The "published" table: measured once, without downloads. With 96 faces nothing is comparable: any value will do.
    scores = measured(root, world, cli, tmp_path / "measured") if whole else {"test": 3.98, "pose": 6.99}
    card = tmp_path / "card.toml"
    nme = ", ".join(f"{subset} = {value:.2f}" for subset, value in scores.items())
    address = f'{{ url = "{server.url("/" + name)}" }}'
    card.write_text(CARD.format(weights=address) + REPORTED.format(nme=nme))

    # Empty cache. Without an accepted licence, no server gets a request.
    out = tmp_path / "out"
    command = ("reproduce", "--wflw", "--no-embedded", "--model", card, "--engine", "torch", "-o", out)
    ended = cli(*command, env=env)
    assert ended.code == 2
    assert "--accept-licence" in ended.line
    assert server.log == []
    command = (*command, "--accept-licence")
    ended = cli("data", "fetch", card, "--accept-licence", env=env)
    assert ended.code == 0, ended.err

    # Interrupted during the download,
    running = start(*command, env=env)
    part = tmp_path / "cache/downloads/WFLW_images.tar.gz.part"
    until(lambda: part.exists() and part.stat().st_size > len(images) // 4)
    ended = running.end(signal.SIGINT)
    assert ended.code == 130
    assert not (tmp_path / "cache/wflw/WFLW_images").exists()

    # again during the sweep,
    running = start(*command, env=env)
    running.wait_for(rf"of {faces}")
    until(lambda: list((out / "wflw" / ".work").rglob("*.batch")))
    ended = running.end(signal.SIGTERM)
    assert ended.code == 143
    ranges = [headers["Range"] for headers in server.asked("/download") if "Range" in headers]
    assert int(re.findall(r"\d+", ranges[0])[0]) >= len(images) // 4
    assert not (out / "wflw" / "run.json").exists()
    assert (out / "wflw" / ".work").exists()

    # and completed, without another download.
    asked = len(server.log)
    ended = cli(*command, env=env)
    assert ended.code == code, ended.err
    assert len(server.log) == asked
    assert {0: "reproduced", 3: "nothing was comparable"}[code] in ended.out
    verdict = json.loads((out / "wflw" / "verdict.json").read_text())
    assert {row["status"] for row in verdict["rows"]} == {status}
    assert {row["subset"] for row in verdict["rows"]} == set(scores)
    assert (out / "wflw" / "report.html").stat().st_size > 10_000
    if whole:
        again = (out / "wflw" / "scores.csv").read_bytes()
        assert again == (tmp_path / "measured" / "run" / "scores.csv").read_bytes()
    lock = json.loads((tmp_path / "cache/nmebench.lock.json").read_text())
    assert set(lock["files"]) >= {"wflw-images", "wflw-annotations", "tiny-mmpose0"}

"""A program that prints the peak memory of decoders as JSON {spec: multiple of the heatmaps' bytes}.

It measures the process's resident memory as the kernel counts it (VmHWM of /proc/self/status, reset through
/proc/self/clear_refs), so that allocations of torch, numpy and OpenCV all count. MALLOC_MMAP_THRESHOLD_ makes glibc
return blocks of at least 64 KiB at once: otherwise the next decoder could reuse freed memory unnoticed.
"""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
FACES, POINTS, SIDE = 64, 98, 64


def kilobytes(field: str) -> int:
    found = re.search(rf"{field}:\s+(\d+) kB", STATUS.read_text())
    assert found
    return int(found.group(1))


def main(specs: list[str]) -> None:
    if "MALLOC_MMAP_THRESHOLD_" not in os.environ:
        os.environ["MALLOC_MMAP_THRESHOLD_"] = "65536"
        os.execv(sys.executable, [sys.executable, *sys.argv])

    import torch

    from nmebench import decoders
    from nmebench.decoders.interface import gaussians

    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(0)
    centres = torch.rand(FACES, POINTS, 2, generator=generator) * (SIDE - 1)
    maps = torch.empty(FACES, POINTS, SIDE, SIDE)
    for face in range(FACES):
        maps[face] = gaussians(centres[face], SIDE, SIDE, 2.0)
        maps[face].add_(torch.randn(maps[face].shape, generator=generator), alpha=0.02)
    found = {}
    for text in specs:
        spec, _, kind = text.partition("@")
        decoder = decoders.from_spec(spec)
        outputs = maps if decoder.needs == ("heatmaps",) else decoder.draw(centres, SIDE, SIDE)
        if kind == "half":
            outputs = maps.half()
        elif kind == "channels_last":
            outputs = maps.contiguous(memory_format=torch.channels_last)
        size = sum(v.nbytes for v in (outputs.values() if isinstance(outputs, dict) else [outputs]))
        few = {k: v[:1] for k, v in outputs.items()} if isinstance(outputs, dict) else outputs[:1]
        decoder(few)  # allocates the libraries' own buffers
        CLEAR.write_text("5")
        before = kilobytes("VmRSS")
        decoder(outputs)
        found[text] = (kilobytes("VmHWM") - before) * 1024 / size
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1:])

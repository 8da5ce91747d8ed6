"""Fuzz every reader with mutations that know the structure of its files. See README.md.

Each case is a function of the reader's name and the case's number, so that a number reproduces it.
"""

from __future__ import annotations

import argparse
import gc
import hashlib
import json
import os
import resource
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import warnings
from collections import Counter
from pathlib import Path
from random import Random
from types import FrameType
from typing import Any

CPU_SECONDS = 10.0
"""Processor time of one case."""
WALL_SECONDS = 60.0
"""Time after which a case that doesn't answer is killed, because it waits or is in compiled code."""
MEMORY = 1 << 30
"""Bytes of address space that a case may add."""
LONGEST_MESSAGE = 2000


class _TooSlowError(BaseException):
    """The case used more processor time than allowed; no reader catches this class."""


def _raise_too_slow(_number: int, _frame: FrameType | None) -> None:
    raise _TooSlowError


def case_bytes(reader: Any, seeds: dict[str, bytes], name: str, number: int) -> tuple[str, bytes]:
    """Return the seed's name and the bytes of a case."""
    draw = Random(f"{name} {number}")
    seed = draw.choice(sorted(seeds))
    if number < len(seeds):  # the unchanged files come first
        seed = sorted(seeds)[number]
        return seed, seeds[seed]
    data = seeds[seed]
    alike = [content for other, content in seeds.items() if Path(other).suffix == Path(seed).suffix]
    return seed, reader.mutation(seed)(data, alike, draw)


def _address_space() -> int:
    return int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")


def _open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def _run_case(reader: Any, file: Path, seed: str, errors: Path) -> tuple[str, str]:
    """Call the reader once; return the kind of outcome and its text."""
    before = (hashlib.sha256(file.read_bytes()).digest(), errors.stat().st_size)
    threads, folder = threading.active_count(), Path.cwd()
    opened = _open_files()
    soft = min(_address_space() + MEMORY, resource.RLIM_INFINITY if resource.RLIM_INFINITY > 0 else 2**63)
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        resource.setrlimit(resource.RLIMIT_AS, (soft, resource.RLIM_INFINITY))
        signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)
        try:
            reader.call(file, seed)
            outcome = ("read", "")
        except _TooSlowError:
            outcome = ("slow", "".join(traceback.format_exc(limit=-3)))
        except BaseException as error:
            from nmebench.errors import InputError

            text = str(error)
            if not isinstance(error, InputError):
                outcome = ("traceback", "".join(traceback.format_exception(error)[-12:]))
            elif not text.strip() or not text.isprintable() or len(text) > LONGEST_MESSAGE:
                outcome = ("message", repr(text[:200]) + f" ({len(text)} characters)")
            elif isinstance(error.__cause__, MemoryError):
                outcome = ("memory", text)
            else:
                outcome = ("refused", text)
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
            resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    if outcome[0] not in ("read", "refused"):
        return outcome
    sys.stderr.flush()
    if errors.stat().st_size > before[1] and not reader.decoders_print:
        return "printed", errors.read_bytes()[before[1] :][:2000].decode("utf-8", "replace")
    if own := [str(one.message) for one in heard if "/PIL/" not in one.filename]:
        return "warning", own[0][:500]
    if not file.is_file() or hashlib.sha256(file.read_bytes()).digest() != before[0]:
        return "changed", "the file was changed or removed"
    if threading.active_count() > threads:
        return "thread", str(threading.enumerate())[:500]
    if _open_files() > opened and (gc.collect(), _open_files())[1] > opened:
        return "descriptor", "a file was left open"
    if Path.cwd() != folder:
        return "folder", "the current folder was changed"
    return outcome


def work(name: str, first: int, last: int, seconds: float, folder: Path) -> None:
    """Run cases of one reader in this process and print one JSON line before and after each."""
    os.environ["FUZZ_FOLDER"] = str(folder)
    os.environ.setdefault("NMEBENCH_CACHE", str(folder / "cache"))
    from readers import READERS

    out = os.fdopen(os.dup(1), "w")
    errors = folder / "stderr"
    errors.touch()
    handle = os.open(errors, os.O_WRONLY | os.O_APPEND)
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    signal.signal(signal.SIGPROF, _raise_too_slow)
    reader = READERS[name]
    seeds = dict(reader.seeds())
    for seed, data in sorted(seeds.items()):  # thread pools and caches are made here
        file = folder / f"warm-up{''.join(Path(seed).suffixes)}"
        file.write_bytes(data)
        try:
            reader.call(file, seed) if not seed.startswith(("loop", "huge", "doubling", "recursive")) else None
        except ValueError as error:
            sys.stderr.write(f"warm-up {seed}: {error}\n")
    end = time.monotonic() + seconds
    for number in range(first, last):
        if time.monotonic() > end:
            break
        seed, data = case_bytes(reader, seeds, name, number)
        file = folder / f"case{Path(seed).suffix}"
        file.write_bytes(data)
        out.write(json.dumps({"begin": number}) + "\n")
        out.flush()
        started = time.monotonic()
        kind, text = _run_case(reader, file, seed, errors)
        line = {"end": number, "seed": seed, "kind": kind, "text": text, "seconds": time.monotonic() - started}
        out.write(json.dumps(line) + "\n")
        out.flush()
        if kind not in ("read", "refused"):
            finds = folder / "finds"
            finds.mkdir(exist_ok=True)
            (finds / f"{name}-{number}{Path(seed).suffix}").write_bytes(data)
    out.write(json.dumps({"finished": True}) + "\n")
    out.flush()


def fuzz(name: str, *, first: int, last: int, seconds: float, keep: Path | None) -> dict[str, Any]:
    """Run cases of one reader in a process of its own, which is started again after a crash or a hang."""
    counts: Counter[str] = Counter()
    finds: dict[str, tuple[int, str]] = {}
    slowest = (0.0, -1)
    started = time.monotonic()
    number = first
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        while number < last and time.monotonic() - started < seconds:
            left = seconds - (time.monotonic() - started)
            command = [sys.executable, __file__, name, "--worker", folder, "--first", str(number), "--last", str(last)]
            environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}
            process = subprocess.Popen(
                [*command, "--seconds", str(left)], stdout=subprocess.PIPE, text=True, env=environment, cwd=folder
            )
            assert process.stdout is not None
            begun, died = None, "crash"
            while True:
                ready, _, _ = select.select([process.stdout], [], [], WALL_SECONDS if begun is not None else 600)
                line = process.stdout.readline() if ready else None
                if line is None:
                    died = "hang"
                    process.kill()
                if not line:
                    break
                entry = json.loads(line)
                if "begin" in entry:
                    begun = number = entry["begin"]
                elif "end" in entry:
                    begun, number = None, entry["end"] + 1
                    counts[entry["kind"]] += 1
                    slowest = max(slowest, (entry["seconds"], entry["end"]))
                    if entry["kind"] not in ("read", "refused"):
                        key = entry["kind"] + ": " + _place(entry["kind"], entry["text"])
                        finds.setdefault(key, (entry["end"], f"{entry['seed']}\n{entry['text']}"))
                else:
                    number = last
            code = process.wait()
            if begun is not None:
                counts[died] += 1
                finds.setdefault(f"{died}: exit {code}", (begun, f"exit code {code}"))
                number = begun + 1
            elif number < last and code != 0:
                printed = (Path(folder) / "stderr").read_text(errors="replace").splitlines()
                last = printed[-1] if printed else "no message"
                finds["start"] = (-1, f"the process ended with {code} before its first case: {last}")
                counts["start"] += 1
                break
        if keep is not None and (Path(folder) / "finds").is_dir():
            shutil.copytree(Path(folder) / "finds", keep, dirs_exist_ok=True)
    return {"counts": counts, "finds": finds, "slowest": slowest, "seconds": time.monotonic() - started, "next": number}


def _place(kind: str, text: str) -> str:
    """Return the last line of a traceback and the last line of the project's code in it, without numbers."""
    if kind in ("message", "memory"):
        return "".join(char for char in text[:40] if not char.isdigit())
    lines = text.strip().splitlines() or [""]
    own = [
        line.strip()
        for line in lines
        if line.strip().startswith("File ") and "/tests/fuzz/" not in line and "site-packages" not in line
    ]
    return "".join(char for char in f"{lines[-1][:120]} {own[-1] if own else ''}" if not char.isdigit())[:250]


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> int:
    """Run one reader, or all of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("reader", nargs="*", help="names of readers; by default all")
    parser.add_argument("--seconds", type=float, default=60.0, help="time per reader")
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--last", type=int, default=10**9, help="number after the last case")
    parser.add_argument("--case", type=int, help="run this case only and keep its file")
    parser.add_argument("--keep", type=Path, help="folder for the files of finds")
    parser.add_argument("--worker", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        work(options.reader[0], options.first, options.last, options.seconds, options.worker)
        return 0
    names = options.reader or json.loads(
        subprocess.run(
            [sys.executable, "-c", "import json, readers; print(json.dumps(list(readers.READERS)))"],
            cwd=Path(__file__).parent,
            check=True,
            capture_output=True,
            text=True,
        ).stdout
    )
    if options.case is not None:
        options.first, options.last, options.keep = options.case, options.case + 1, options.keep or Path("finds")
    found = 0
    _say(f"{'reader':<22}{'cases':>8}{'read':>8}{'refused':>9}{'finds':>7}{'seconds':>9}{'slowest':>9}")
    for name in names:
        result = fuzz(name, first=options.first, last=options.last, seconds=options.seconds, keep=options.keep)
        counts = result["counts"]
        bad = sum(count for kind, count in counts.items() if kind not in ("read", "refused"))
        found += bad
        row = f"{name:<22}{sum(counts.values()):>8}{counts['read']:>8}{counts['refused']:>9}{bad:>7}"
        _say(f"{row}{result['seconds']:>9.0f}{result['slowest'][0]:>8.1f}s")
        for key, (number, text) in result["finds"].items():
            _say(f"  find in case {number} of {name}: {key}")
            _say("".join(f"    {line[:200]}\n" for line in text.splitlines()[-14:]).rstrip())
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

"""`fetch`: from a name to a file in its place, verified and, for archives, unpacked."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pooch

from nmebench.errors import InputError
from nmebench.fetch import lockfile
from nmebench.fetch.install import in_place, install, verify
from nmebench.fetch.sources import Source, Sources, load_sources
from nmebench.fetch.transport import Policy, Progress, ResumingDownloader
from nmebench.paths import cache_folder, wflw_folder

__all__ = ["fetch"]


def fetch(
    name: str,
    *,
    cache: Path | None = None,
    accept_licence: bool = False,
    progress: Progress | None = None,
    note: Callable[[str], None] | None = None,
    sources: Sources | None = None,
    policy: Policy | None = None,
) -> Path:
    """Download what a name stands for; what is there already is kept, and nothing is asked.

    Args:
        name: ``wflw``, ``wflw-images``, ``wflw-annotations``, ``wflw-mmpose``, ``weights`` (of all cards), a card's
            name or a card's file.
        cache: folder to keep the files in; by default ``NMEBENCH_CACHE`` or the user's cache folder.
        accept_licence: that the notice was read and is accepted.
        progress: called with the file's name, the bytes so far and in all (0 while unknown).
        note: called with a line when an attempt failed and another follows.
        sources: the addresses, by default those of `load_sources`.
        policy: time limits and attempts.

    Returns:
        The folder with both WFLW parts for ``wflw``, the folder of checkpoints for ``weights``, else the file or the
        folder that the archive was unpacked to.

    Raises:
        InputError: one line; nothing half-written is left in a file's place, and the same command goes on where it
            stopped.
    """
    table = load_sources() if sources is None else sources
    wanted = table.resolve(name)
    folder = cache_folder(cache)
    if len(wanted) > 1:  # of a group what can be fetched; `by_hand` tells the rest
        wanted = tuple(source for source in wanted if not source.by_hand)
    with lockfile.alone(folder):
        missing = [source for source in wanted if not in_place(source, folder)]
        for source in missing:
            if source.by_hand:
                _ = source.address  # raises, with the way to get it
            _accepted(source, accept_licence)
        for source in missing:
            _download(source, folder, policy or Policy(), progress, note)
    if name == "wflw":
        return wflw_folder(folder)
    if name == "weights":
        return folder / "weights"
    return wanted[0].place(folder)


def _accepted(source: Source, accept_licence: bool) -> None:
    """Hold to the licence notice.

    Raises:
        InputError: it was not accepted; the line is the notice.
    """
    if source.licence and not accept_licence:
        notice = " ".join(source.licence.split())
        raise InputError(f"{source.file}: {notice}; to accept give the same command with --accept-licence")


def _download(
    source: Source, cache: Path, policy: Policy, progress: Progress | None, note: Callable[[str], None] | None
) -> None:
    downloads = cache / "downloads"
    downloads.mkdir(exist_ok=True)
    complete = downloads / source.file
    downloader = ResumingDownloader(
        source,
        downloads / f"{source.file}.part",
        check=lambda path: verify(source, path, cache),
        policy=policy,
        progress=progress,
        note=note,
    )
    with _quiet_pooch():
        pooch.retrieve(source.address, known_hash=None, fname=source.file, path=downloads, downloader=downloader)
    sha256 = verify(source, complete, cache)
    try:
        install(source, complete, sha256, cache, origin=source.address)
    except InputError:
        # A download that doesn't unpack would be taken for a good one the next time.
        complete.unlink(missing_ok=True)
        raise
    # An archive has served: its files are there, its hash is recorded, and it is as large as they are.
    complete.unlink(missing_ok=True)


@contextlib.contextmanager
def _quiet_pooch() -> Iterator[None]:
    """Without pooch's log lines: progress is the caller's to show."""
    logger = pooch.get_logger()
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)

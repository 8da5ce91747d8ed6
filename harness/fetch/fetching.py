"""`fetch`: from a name to a file in its place, verified and, for archives, unpacked."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pooch

from harness.errors import InputError
from harness.fetch import lockfile
from harness.fetch.archive import unpack, unpacked_from
from harness.fetch.cache import cache_path, place_of, wflw_root
from harness.fetch.sources import Source, Sources, load_sources
from harness.fetch.transport import Policy, Progress, ResumingDownloader
from harness.quoting import shown

__all__ = ["fetch", "install", "verify"]


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
    folder = cache_path(cache)
    if len(wanted) > 1:  # of a group what can be fetched; `by_hand` tells the rest
        wanted = tuple(source for source in wanted if not source.by_hand)
    with lockfile.alone(folder):
        missing = [source for source in wanted if not _in_place(source, folder)]
        for source in missing:
            if source.by_hand:
                _ = source.address  # raises, with the way to get it
            _accepted(source, accept_licence)
        for source in missing:
            _download(source, folder, policy or Policy(), progress, note)
    if name == "wflw":
        return wflw_root(folder)
    if name == "weights":
        return folder / "weights"
    return place_of(wanted[0], folder)


def _accepted(source: Source, accept_licence: bool) -> None:
    """Hold to the licence notice.

    Raises:
        InputError: it was not accepted; the line is the notice.
    """
    if source.licence and not accept_licence:
        notice = " ".join(source.licence.split())
        raise InputError(f"{source.file}: {notice}; to accept give the same command with --accept-licence")


def _in_place(source: Source, cache: Path) -> bool:
    """Whether a source's file is where it belongs and is the one that was recorded.

    Raises:
        InputError: something else is in its place.
    """
    place = place_of(source, cache)
    if not place.exists():
        return False
    if source.unpacks_to:
        made_from = unpacked_from(place)
        recorded = lockfile.read(cache).get(source.name)
        if made_from is None:
            raise InputError(
                f"{shown(place)}: is there already, and nmebench didn't unpack it; to use a copy of your own set "
                "NMEBENCH_WFLW to the folder above it, else move it away"
            )
        if recorded is not None and made_from.sha256 != recorded.sha256:
            raise InputError(
                f"{shown(place)}: was unpacked from another {source.file} than {lockfile.LOCK_NAME} records; move it "
                "away and fetch again"
            )
        entry = lockfile.Recorded(source.file, made_from.sha256, made_from.packed, "unpacked before")
    else:
        try:
            sha256 = verify(source, place, cache)
        except InputError as error:
            raise InputError(f"{error}; the file in the way is {shown(place)}: move it away") from error
        entry = lockfile.Recorded(source.file, sha256, place.stat().st_size, "found in the cache")
    lockfile.record(cache, source.name, entry)
    return True


def verify(source: Source, path: Path, cache: Path) -> str:
    """Check a complete file against everything that is known of it.

    Returns:
        Its sha256.

    Raises:
        InputError: length, sha256, the sha256's beginning in its name, or the lock file's record differ.
    """
    size = path.stat().st_size
    if size == 0:
        raise InputError(f"{source.file}: 0 bytes; download it again")
    if size > source.max_bytes or (source.bytes is not None and size != source.bytes):
        allowed = source.bytes if source.bytes is not None else f"at most {source.max_bytes}"
        raise InputError(f"{source.file}: {size} bytes, expected {allowed}; it is another file; download it again")
    with path.open("rb") as file:
        if file.read(512).lstrip()[:14].lower().startswith((b"<!doctype html", b"<html")):
            raise InputError(
                f"{source.file}: a web page under a file's name (a login, or a quota used up); download the file "
                f"itself from {source.page or source.address}"
            )
    sha256 = str(pooch.file_hash(str(path), alg="sha256"))
    recorded = lockfile.read(cache).get(source.name)
    for expected, says in (
        (source.sha256, "its source says"),
        (source.hash_prefix, "its name says"),
        (recorded.sha256 if recorded else None, f"{lockfile.LOCK_NAME} recorded"),
    ):
        if expected is not None and not sha256.startswith(expected):
            raise InputError(
                f"{source.file}: sha256 {sha256[: max(8, min(len(expected), 16))]}..., but {says} {expected[:16]}"
                f"{'...' if len(expected) > 16 else ''}; the bytes are not the published ones: it was not put in "
                "place; fetch it again, or compare with another copy"
            )
    return sha256


def install(source: Source, archive: Path, sha256: str, cache: Path, *, origin: str) -> Path:
    """Put a verified file in its place (archives: unpack them) and record it."""
    place = place_of(source, cache)
    size = archive.stat().st_size
    if source.unpacks_to:
        unpack(
            archive,
            place,
            max_bytes=source.max_unpacked,
            max_files=source.max_files,
            top=source.top,
            expects=source.expects,
            sha256=sha256,
        )
    else:
        place.parent.mkdir(parents=True, exist_ok=True)
        archive.replace(place)
    lockfile.record(cache, source.name, lockfile.Recorded(source.file, sha256, size, origin))
    return place


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

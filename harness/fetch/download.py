"""`fetch`: download, verify and install the files of a data set or a model card."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from nmebench.errors import InputError
from nmebench.fetch import lockfile
from nmebench.fetch.install import install, is_installed, verify
from nmebench.fetch.sources import Source, Sources, load_sources
from nmebench.fetch.transport import Policy, Progress, download
from nmebench.paths import cache_folder, weights_folder, wflw_folder

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
    """Download the files of a name; installed files are kept. Never asks a question.

    Args:
        name: a data set (``wflw``, ``300w``), one of its files (``wflw-images``), ``weights`` (of the cards with
            results on WFLW; ``weights-300w`` and so on for the others), a card's name or a card's path.
        cache: the cache folder; by default ``$NMEBENCH_CACHE`` or the user's cache folder.
        accept_licence: whether the user has read and accepts the licence notice.
        progress: called with the file's name, the received bytes and the size in bytes (0 while it is unknown).
        note: called with one line before each retry.
        sources: the files to choose from; by default those of `load_sources`.
        policy: timeouts and retries.

    Returns:
        The file, or the folder that its archive was unpacked to; for several files the folder that contains all.

    Raises:
        InputError: the name is unknown, the licence isn't accepted, or a download fails. No installed path holds an
            incomplete file, and the same call resumes the download.
    """
    table = load_sources() if sources is None else sources
    wanted = table.resolve(name)
    folder = cache_folder(cache)
    if len(wanted) > 1:  # a group: `manual_downloads` lists the files that are left out here
        wanted = tuple(source for source in wanted if not source.by_hand) or wanted
    with lockfile.lock_cache(folder):
        missing = [source for source in wanted if not is_installed(source, folder)]
        for source in missing:
            _check_permission(source, accept_licence)
        for source in missing:
            _download_and_install(source, folder, policy or Policy(), progress, note)
    if name == "wflw":
        return wflw_folder(folder)
    if name.partition("-")[0] == "weights":
        return weights_folder(folder)
    return Path(os.path.commonpath([source.installed_path(folder) for source in wanted]))


def _check_permission(source: Source, accept_licence: bool) -> None:
    """Raise InputError if a file can only be downloaded by hand, or its licence notice isn't accepted."""
    if source.by_hand:
        raise InputError(f"{source.name}: {source.page} is a web page, not a file; {source.manual_way}")
    if source.licence and not accept_licence:
        notice = " ".join(source.licence.split())
        raise InputError(f"{source.file}: {notice}; to accept it, repeat the command with --accept-licence")


def _download_and_install(
    source: Source, cache: Path, policy: Policy, progress: Progress | None, note: Callable[[str], None] | None
) -> None:
    downloads = cache / "downloads"
    downloads.mkdir(exist_ok=True)
    complete = downloads / source.file
    if not complete.exists():  # an interrupted command may have left it
        download(source, complete, policy=policy, progress=progress, note=note)
    try:
        install(source, complete, verify(source, complete, cache), cache, origin=source.address)
    except InputError:
        complete.unlink(missing_ok=True)  # otherwise the next command would not download it again
        raise
    complete.unlink(missing_ok=True)  # an unpacked archive isn't needed any more

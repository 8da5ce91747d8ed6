"""`add`: recognise, verify and install a file that the user downloaded by hand."""

from __future__ import annotations

import re
import shutil
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath

from nmebench.bounded_read import check_regular
from nmebench.errors import InputError
from nmebench.fetch import lockfile
from nmebench.fetch.archive import list_files
from nmebench.fetch.archive_members import archive_kind
from nmebench.fetch.install import install, verify
from nmebench.fetch.sources import Source, Sources, load_sources
from nmebench.files import file_sha256
from nmebench.paths import cache_folder
from nmebench.printable import shown

__all__ = ["add", "recognise"]

#: Largest file that is hashed, bytes; no source is that large.
_LARGEST = 1 << 40


def add(
    path: Path,
    *,
    name: str | None = None,
    cache: Path | None = None,
    sources: Sources | None = None,
) -> Path:
    """Install a file that was downloaded by hand, as `fetch` would; the file itself stays unchanged.

    The licence isn't asked for, because the user accepted it at the site that offers the file.

    Args:
        path: the file; its name doesn't matter.
        name: the source that the file belongs to; by default it is recognised by hash, name or content.
        cache: the cache folder; by default ``$NMEBENCH_CACHE`` or the user's cache folder.
        sources: the files to choose from; by default those of `load_sources`.

    Returns:
        The path of the installed file or unpacked folder.

    Raises:
        InputError: the file isn't recognised, is incomplete, or differs from the recorded one.
    """
    table = load_sources() if sources is None else sources
    folder = cache_folder(cache)
    path = Path(path)
    if path.is_dir():
        raise InputError(
            f"{shown(path)}: a folder, expected a downloaded file; a folder with WFLW_annotations and WFLW_images "
            "needs no `add`: use it as wflw:PATH, or set NMEBENCH_WFLW to it"
        )
    try:
        check_regular(path, _LARGEST)
        sha256 = file_sha256(path)
    except OSError as error:
        raise InputError(f"{shown(path)}: can't be read ({error.strerror})") from error
    with lockfile.lock_cache(folder):
        source = _named(table, name) if name else recognise(path, sha256, folder, table)
        verify(source, path, folder)
        downloads = folder / "downloads"
        downloads.mkdir(exist_ok=True)
        copy = downloads / f".{source.file}.adding"
        try:
            if source.unpacks_to:
                return install(source, path, sha256, folder, origin="by hand")
            shutil.copyfile(path, copy)
            return install(source, copy, verify(source, copy, folder), folder, origin="by hand")
        except OSError as error:
            raise InputError(
                f"{shown(error.filename or folder)}: {error.strerror}; nothing was installed; free some space or "
                "choose another cache with NMEBENCH_CACHE"
            ) from error
        finally:
            copy.unlink(missing_ok=True)


def _named(sources: Sources, name: str) -> Source:
    found = sources.resolve(name)
    if len(found) != 1:
        raise InputError(f"{name!r}: a group of {len(found)} files, expected one of {', '.join(s.name for s in found)}")
    return found[0]


def recognise(path: Path, sha256: str, cache: Path, sources: Sources) -> Source:
    """Return the source that a file belongs to: by its hash, then its name, then an archive's content.

    Args:
        path: the file.
        sha256: its hash.
        cache: folder of the lock file, whose hashes count as well.
        sources: the sources to choose from.

    Raises:
        InputError: no source matches.
    """
    recorded = {name: entry.sha256 for name, entry in lockfile.read(cache).items()}
    for source in sources.values():
        if sha256 in (source.sha256, recorded.get(source.name)):
            return source
    for source in sources.values():
        if source.hash_prefix and sha256.startswith(source.hash_prefix):
            return source
    name = re.sub(r" ?\(\d+\)(?=\.)", "", path.name)  # browsers save "NAME (1).tar.gz"
    for source in sources.values():
        if name == source.file:
            return source
    if archive_kind(path) is not None:
        files = list_files(path)
        for source in sources.values():
            if source.unpacks_to and _contains(files, source):
                return source
    raise InputError(
        f"{shown(path)}: not recognised by its hash, name or content; name it with `--name`, allowed: "
        f"{', '.join(sorted(sources))}"
    )


def _contains(files: list[str], source: Source) -> bool:
    """Return whether an archive's first files are in the source's top folder or have the names that it expects."""
    if source.top and any(PurePosixPath(file).parts[0] == source.top for file in files):
        return True
    names = [PurePosixPath(pattern).name for pattern in source.expects]
    return any(fnmatch(PurePosixPath(file).name, name) for file in files for name in names if not name.startswith("*"))

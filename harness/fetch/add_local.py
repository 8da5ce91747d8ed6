"""`add`: files that a person downloaded are recognised, verified and put in their place."""

from __future__ import annotations

import hashlib
import re
import shutil
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath

from nmebench.errors import InputError
from nmebench.fetch import lockfile
from nmebench.fetch.archive import kind_of, peek
from nmebench.fetch.install import install, verify
from nmebench.fetch.sources import Source, Sources, load_sources
from nmebench.paths import cache_folder
from nmebench.printable import shown

__all__ = ["add", "recognise"]


def add(
    path: Path,
    *,
    name: str | None = None,
    cache: Path | None = None,
    sources: Sources | None = None,
) -> Path:
    """Put a file that was downloaded by hand where `fetch` would have put it; the file itself stays as it is.

    No licence is asked for: whoever has the file met its terms where it came from.

    Args:
        path: the file, under any name.
        name: what it is; by default it is recognised by hash, name or content.
        cache: as in `fetch`.
        sources: as in `fetch`.

    Returns:
        The file's or unpacked folder's place.

    Raises:
        InputError: it is not recognised, not whole, or not the bytes that were recorded.
    """
    table = load_sources() if sources is None else sources
    folder = cache_folder(cache)
    path = Path(path)
    if path.is_dir():
        raise InputError(
            f"{shown(path)}: a folder, expected a downloaded file; a folder with WFLW_annotations and WFLW_images "
            "can be used as it is: give it as wflw:PATH, or set NMEBENCH_WFLW to it"
        )
    try:
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"{shown(path)}: can't be read ({error.strerror})") from error
    with lockfile.alone(folder):
        source = _only(table.resolve(name), name) if name else recognise(path, sha256, folder, table)
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
                f"{shown(error.filename or folder)}: {error.strerror}; make room or choose another cache with "
                "NMEBENCH_CACHE; nothing was put in place"
            ) from error
        finally:
            copy.unlink(missing_ok=True)


def _only(found: tuple[Source, ...], name: str) -> Source:
    if len(found) != 1:
        raise InputError(f"{name!r}: stands for {len(found)} files, expected one of {', '.join(s.name for s in found)}")
    return found[0]


def recognise(path: Path, sha256: str, cache: Path, sources: Sources) -> Source:
    """Which source a file is: by its hash, then by its name, then by what an archive holds.

    Raises:
        InputError: none of them.
    """
    recorded = {name: entry.sha256 for name, entry in lockfile.read(cache).items()}
    for source in sources.values():
        if sha256 in (source.sha256, recorded.get(source.name)):
            return source
    for source in sources.values():
        if source.hash_prefix and sha256.startswith(source.hash_prefix):
            return source
    plain = re.sub(r" ?\(\d+\)(?=\.)", "", path.name)  # a browser's "NAME (1).tar.gz"
    for source in sources.values():
        if plain == source.file:
            return source
    if kind_of(path) is not None:
        names = peek(path)
        for source in sources.values():
            if source.unpacks_to and _holds(names, source):
                return source
    raise InputError(
        f"{shown(path)}: not recognised by its hash, name or content; say what it is with `--name`, allowed: "
        f"{', '.join(sorted(sources))}"
    )


def _holds(names: list[str], source: Source) -> bool:
    """Whether an archive's first files are this source's: under its own top folder, or with its own file names."""
    if source.top and any(PurePosixPath(name).parts[0] == source.top for name in names):
        return True
    own = [PurePosixPath(pattern).name for pattern in source.expects if not PurePosixPath(pattern).name.startswith("*")]
    return any(fnmatch(PurePosixPath(name).name, pattern) for name in names for pattern in own)

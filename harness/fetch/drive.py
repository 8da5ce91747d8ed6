"""Google Drive's way of handing out a large file: first a page with a form, then the file.

The page's many historical forms are gdown's knowledge (`gdown.download.get_url_from_gdrive_confirmation`). The
download itself goes the way of every other file, so that bounds, redirects and resuming have one set of rules; gdown's
own transport follows any redirect and keeps a cookie file in the home folder.
"""

from __future__ import annotations

from nmebench.errors import InputError
from nmebench.fetch.sources import Source

__all__ = ["confirmed"]


def confirmed(page: str, source: Source) -> str:
    """The address behind Drive's confirmation page.

    Raises:
        InputError: the page hands out nothing: too many downloads (quota), no permission, or no such file.
    """
    from gdown.download import get_url_from_gdrive_confirmation
    from gdown.exceptions import FileURLRetrievalError

    try:
        return str(get_url_from_gdrive_confirmation(page))
    except FileURLRetrievalError as error:
        said = " ".join(str(error).split())
        said = "no file behind the page" if said.startswith("Cannot retrieve") else said
        raise InputError(
            f"{source.file}: Google Drive sent a page instead of the file ({said[:160]}); try again in a day, or "
            f"download it in a browser from {source.page or source.address} and `nmebench data add {source.file}`"
        ) from error

"""Files on Google Drive, which answers with a form first if the file is large."""

from __future__ import annotations

from typing import Final

from nmebench.errors import InputError
from nmebench.fetch.session import Session, is_page, stream_errors

__all__ = ["file_address"]

_MAX_PAGE_BYTES: Final = 1 << 20


def file_address(session: Session) -> str:
    """Return the address of the file of a session's source.

    The form is requested without Range, because Range would apply to the form.

    Args:
        session: a session whose source is a file on Google Drive.

    Raises:
        RetryError: the connection failed.
        InputError: Google Drive sent a page without a link to the file.
    """
    from gdown.download import get_url_from_gdrive_confirmation
    from gdown.exceptions import FileURLRetrievalError

    source = session.source
    with session.open(source.address) as response:
        if not is_page(response):
            return response.url
        with stream_errors():
            page = response.raw.read(_MAX_PAGE_BYTES, decode_content=True).decode("utf-8", "replace")
    try:
        return str(get_url_from_gdrive_confirmation(page))
    except (FileURLRetrievalError, KeyError, AssertionError) as error:
        reason = " ".join(str(error).split())[:160]
        if not isinstance(error, FileURLRetrievalError) or reason.startswith("Cannot retrieve"):
            reason = "it links to no file"
        raise InputError(
            f"{source.file}: Google Drive sent a page instead of the file ({reason}); try again in a day, or "
            f"{source.manual_way}"
        ) from error

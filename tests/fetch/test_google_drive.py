"""Files on Google Drive, with and without its form."""

from __future__ import annotations

from download_thing import DATA, fetch_bytes


def test_a_small_file_on_drive_has_no_form(server, responses, source, cache, policy):
    server.on("/uc", responses.serve(DATA, cut_at=9000), responses.serve(DATA))
    sources = source(drive="FILEID", drive_base=server.url(""))
    assert fetch_bytes(sources, cache, policy) == DATA
    assert server.log[0][0] == "/uc?id=FILEID&export=download"

"""Asks a declared source and reads it to its end, whatever its kind."""

from pathlib import Path

from devices.inventory import contents, files
from devices.inventory.declared import Source
from devices.inventory.errors import NoAnswerError
from devices.inventory.netbox import from_netbox
from devices.inventory.records import Record
from devices.inventory.web import from_http


def read(source: Source) -> list[Record]:
    """Return all records of a source.

    Raise NoAnswerError for silence, junk, a part of the answer, and for no device at all.
    """
    if source.kind == "netbox":
        return contents.as_records(source, from_netbox(source))
    if source.kind == "http":
        return contents.as_records(source, from_http(source))
    try:
        with Path(source.path).open("rb") as file:
            content = file.read(files.MOST_BYTES + 1)
    except OSError as error:
        raise NoAnswerError(f"{source.path} can't be read: {error.strerror}") from None
    return contents.read(source, content)

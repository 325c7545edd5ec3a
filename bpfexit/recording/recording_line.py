"""One line of a recording: a header, a guest or an interval."""

from bpfexit.formats.json import guest as guest_json
from bpfexit.formats.json import recording as recording_json
from bpfexit.formats.json import snapshot_reader
from bpfexit.formats.json.recording import Header
from bpfexit.formats.json.values import Line
from bpfexit.model.guest import Guest
from bpfexit.model.snapshot import Snapshot

Entry = Header | Guest | Snapshot

_BEGINNING = b'{"schema":"bpfexit.'


def decode(line: Line) -> Entry:
    """Read a line. Raises `BpfexitError` if it is not one of a recording."""
    return recording_json.decode(line) or guest_json.decode(line) or snapshot_reader.decode(line)


def whole_part(data: bytes | bytearray) -> bytes | bytearray:
    """Return the complete line that begins within a damaged one; empty if there is none.

    This happens if a line was cut, or the file was extended by zeros, and the next line
    was appended. JSON escapes quotes, so no text within a line looks like the beginning.
    """
    first = data.rfind(_BEGINNING, 1)
    return data[first:] if first > 0 else b""

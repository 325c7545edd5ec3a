"""What was read and is not asked for any more is gone at once: a line may take 100 MB."""

import gc
import gzip
import io
import weakref
from collections.abc import Iterator

import pytest

from bpfexit.formats.json import snapshot as snapshot_json
from bpfexit.formats.json import snapshot_reader
from bpfexit.recording.lines import Lines
from tests.unit.builders import pio, snapshot

LINE = snapshot_json.encode(snapshot(pio(0x70, ns=(5,))))


@pytest.fixture
def without_collector() -> Iterator[None]:
    """Leave what is in a circle where it is."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("compressed", [False, True])
def test_no_line_is_kept_that_was_handed_on(compressed: bool, without_collector: None) -> None:
    data = b"".join(
        gzip.compress(line) if compressed else line for line in [b"one\n", b"two\n", b"three\n"]
    )
    found = 0
    for line in map(weakref.ref, Lines(io.BytesIO(data).read, compressed)):
        assert line() is None
        found += 1
    assert found == 3


def test_the_parts_of_an_interval_are_not_kept(without_collector: None) -> None:
    read = snapshot_reader.decode(LINE)
    assert read.exits == 1
    assert not [each for each in gc.get_objects() if isinstance(each, snapshot_reader._Lists)]

"""Any interval of a recording can be next."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bpfexit.formats.json.recording import Header
from bpfexit.model.filter import Filter
from bpfexit.model.snapshot import Origin
from bpfexit.recording import replay
from bpfexit.recording.replay import Replay
from bpfexit.recording.writer import Recorder
from tests.unit.builders import pio, snapshot

INTERVALS = 7


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("replay") / "run.jsonl.gz"
    recorder = Recorder(found, lambda: Header("", Origin("host", "6.1", "kvm_amd"), 1.0, 0.0))
    for number in range(1, INTERVALS + 1):
        recorder.write(snapshot(pio(0x70, ns=(5,) * number), start=float(number)))
    recorder.close()
    return found


@given(st.lists(st.integers(1, INTERVALS) | st.none(), max_size=12), st.booleans())
def test_it_goes_to_any_interval_and_skips_each_one_once(
    path: Path, steps: list[int | None], keeps: bool
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(replay, "MEMORY", 1 << 20 if keeps else 1)
        opened = Replay(path, Filter())
        position, seen = 0, set[int]()
        for step in steps:
            if step is not None:
                skipped = [each.exits for each in opened.skip_to(step)]
                assert not seen & {*skipped}
                assert {*range(1, step)} - seen == {*skipped}
                seen |= {*skipped}
                position = step - 1
            found = opened.next()
            if position == INTERVALS:
                assert found is None
                continue
            position += 1
            assert found
            assert found.exits == opened.position == position
            seen.add(position)
        opened.close()


def test_its_intervals_are_counted(path: Path) -> None:
    opened = Replay(path, Filter())
    opened._counter.join()
    assert opened.intervals == INTERVALS


def test_the_next_interval_is_due_as_long_as_it_lasted(path: Path) -> None:
    opened = Replay(path, Filter())
    assert opened.due() == 1.0
    opened.next()
    assert list(opened.skip_to(1)) == []
    assert opened.due() == 1.0

"""The live screen's pace, as its keys set it, and what it paints of the snapshots it is given."""

import io

import pytest
from rich.console import Console

from bpfexit.model.own_cost import MEASURING_S
from bpfexit.model.snapshot import Snapshot
from bpfexit.model.snapshot_sum import SnapshotSum
from bpfexit.model.view import Query
from bpfexit.ui.live import LiveScreen
from bpfexit.ui.screen.cells import texts
from bpfexit.ui.screen.state import first_state
from tests.unit.builders import pio, snapshot


def opened(*, replay: bool) -> LiveScreen:
    console = Console(file=io.StringIO(), width=100, height=24, force_terminal=True)
    return LiveScreen(first_state(Query(), 5.0, replay=replay), console, SnapshotSum)


@pytest.fixture
def live() -> LiveScreen:
    return opened(replay=False)


@pytest.fixture
def replay() -> LiveScreen:
    screen = opened(replay=True)
    screen.begin(1.0)
    return screen


def exits(number: int) -> Snapshot:
    return snapshot(pio(0x70, ns=(100,) * number))


def drawn(screen: LiveScreen) -> str:
    return "\n".join(texts(screen.grid()))


def test_only_the_first_interval_is_short_and_measures_the_cost(live: LiveScreen) -> None:
    assert live.begin(None) == MEASURING_S
    assert live.measures_cost
    assert live.begin(None) == 5.0
    assert not live.measures_cost


def test_a_key_measures_the_cost_at_once(live: LiveScreen) -> None:
    live.begin(None)
    live.press(["c"])
    assert live.hurries
    assert live.begin(None) == MEASURING_S
    assert live.measures_cost
    assert not live.hurries


def test_a_recordings_intervals_are_its_own(replay: LiveScreen) -> None:
    assert replay.begin(0.3) == 0.3


def test_a_pause_holds_a_recording_and_steps_go_through_it(replay: LiveScreen) -> None:
    replay.press(["p"])
    assert (replay.holds, replay.hurries) == (True, False)
    replay.press(["n", "n"])
    assert replay.hurries
    replay.add(exits(1))
    assert replay.hurries
    replay.add(exits(2))
    assert (replay.holds, replay.hurries) == (True, False)
    assert "2 in 1.00 s" in drawn(replay)
    replay.press(["p"])
    assert not replay.holds


def test_a_pause_hides_what_a_live_source_goes_on_counting(live: LiveScreen) -> None:
    live.add(exits(1))
    live.press(["p"])
    live.add(exits(2))
    assert not live.holds
    assert "1 in 1.00 s" in drawn(live)
    live.press(["t"])
    assert "3 in 2.00 s" in drawn(live)


def test_the_end_of_a_recording_holds_its_last_interval(replay: LiveScreen) -> None:
    replay.add(exits(3))
    replay.end_of_recording()
    replay.press(["n"])
    assert (replay.holds, replay.hurries) == (True, False)
    assert "end of the recording" in drawn(replay)


def test_a_reset_begins_the_sum_anew(live: LiveScreen) -> None:
    live.add(exits(3))
    live.press(["r"])
    assert live.total is None
    live.add(exits(1))
    assert live.total
    assert live.total.exits == 1


@pytest.mark.parametrize("key", ["q", "eof"])
def test_a_key_or_the_terminals_end_quits(live: LiveScreen, key: str) -> None:
    live.press([key])
    assert live.quits


def painted(screen: LiveScreen) -> str:
    parts, is_last = "", False
    while not is_last:
        text, is_last = screen.paint(1500)
        parts += text
    return parts


def test_only_what_has_changed_is_painted(live: LiveScreen) -> None:
    live.add(exits(3))
    assert "\x1b[2J" in painted(live)
    assert painted(live) == ""
    live.add(exits(4))
    assert 0 < len(painted(live)) < 200
    live.press(["\x0c"])
    assert "\x1b[2J" in painted(live)


def test_a_new_size_is_painted_anew(live: LiveScreen) -> None:
    live.add(exits(3))
    painted(live)
    live._console.size = (80, 10)
    assert "\x1b[2J" in painted(live)


def test_a_suspended_screen_is_asked_for_once(live: LiveScreen) -> None:
    live.press(["\x1a"])
    assert live.suspends
    assert not live.suspends

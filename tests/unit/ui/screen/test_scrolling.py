"""Random keys, sizes and snapshots: the selection stays on its line, and every line is reached."""

from hypothesis import given, settings
from hypothesis import strategies as st

from bpfexit.model.lines import about
from bpfexit.model.scope import Part
from bpfexit.model.snapshot import Snapshot
from bpfexit.model.view import DIMENSIONS, Query
from bpfexit.names.reasons import Isa
from bpfexit.ui.screen.cells import Size, texts
from bpfexit.ui.screen.scrolling import window
from bpfexit.ui.screen.state import State, first_state
from tests.unit.builders import snapshots
from tests.unit.ui.screen.drive import Driver
from tests.unit.ui.screen.hosts import host

BY = st.lists(st.sampled_from(DIMENSIONS), min_size=1, max_size=3, unique=True).map(tuple)
SIZES = st.builds(Size, st.integers(1, 220), st.integers(1, 70))
KEYS = (
    st.sampled_from(
        [
            *(
                "up",
                "down",
                "left",
                "right",
                "pageup",
                "pagedown",
                "home",
                "end",
                "enter",
                "escape",
            ),
            *("tab", "backtab", "backspace", "taken", "unknown", "resized", "continued"),
            *"123456789jkGgbxtpnrcsfqhCoO<>[]{}:?/ .",
            *"\x02\x06\x0c\x15\x17",
        ]
    )
    | st.characters()
)
STEPS = st.lists(KEYS | SIZES | snapshots() | snapshots(Isa.VMX), max_size=25)


def state(replay: bool, isa: Isa = Isa.VMX) -> State:
    return first_state(Query(), 1.0, replay=replay, has_exit_events=bool(isa))


@settings(max_examples=200)
@given(STEPS, st.booleans(), st.sampled_from([Isa.VMX, Isa.NONE]))
def test_whatever_happens_there_is_a_screen(
    steps: list[str | Size | Snapshot], replay: bool, isa: Isa
) -> None:
    driver = Driver(state=state(replay, isa))
    for step in steps:
        if isinstance(step, Size):
            driver.resize(step)
        elif isinstance(step, Snapshot):
            driver.add(step)
        else:
            driver.press(step)
        grid = driver.grid()
        assert len(grid) == driver.console.height
        assert {len(cells) for cells in grid} == {driver.console.width}
        assert driver.state.tab in driver.state.tabs


@given(
    st.lists(st.integers(0, 40), min_size=2, max_size=6),
    st.lists(st.sampled_from(["down", "up", "pagedown", "pageup", "end", "j"]), max_size=8),
    st.sampled_from(["1", "2", "3", "4"]),
    st.sampled_from(["o", "O", ""]),
    SIZES,
)
def test_the_selection_stays_on_its_line(
    seconds: list[int], keys: list[str], tab: str, sort: str, size: Size
) -> None:
    driver = Driver(host(12, second=seconds[0]), size=size).press(tab, *keys)
    key = driver.state.level.cursor.key
    for second in seconds[1:]:
        driver.add(host(12, second=second))
        driver.press(*sort)
        page = driver.screen._page()
        at = window(driver.state.level.cursor, page.body, page.around.rows)
        assert at.top <= at.selected < at.top + page.around.rows
        line = page.body.line(at.selected)
        assert line
        assert key is None or about(line) == key


def test_a_line_that_is_gone_is_selected_again_when_it_is_back() -> None:
    of, fewer = host(3), Part(text="web").of(host(3))
    driver = Driver(of).press("1", "end")
    name = driver.selected()
    driver.add(fewer)
    assert driver.selected() != name
    assert driver.selected()
    driver.add(of)
    assert (driver.selected() or "").split()[0] == (name or "").split()[0]


def test_every_line_is_reached_by_each_way() -> None:
    driver = Driver(host(50), size=Size(80, 24)).press("1")
    for keys in (["down"] * 49, ["pagedown"] * 4):
        driver.press("home")
        seen = {driver.selected()}
        on_screen = set(driver.lines())
        for key in keys:
            driver.press(key)
            seen.add(driver.selected())
            on_screen |= set(driver.lines())
        names = {line.split()[0] for line in on_screen if line.startswith("prod-")}
        assert len(names) == 50
        assert driver.selected() in driver.press("end").lines()
    assert len(seen) >= 4


def test_a_step_moves_the_selection_by_one_line() -> None:
    driver = Driver(host(50), size=Size(80, 24)).press("1", "home")
    visited = [driver.selected()]
    for _ in range(49):
        visited.append(driver.press("down").selected())
    assert len(set(visited)) == 50
    assert driver.press("down").selected() == visited[-1]


def test_no_line_is_hidden_while_there_are_empty_ones() -> None:
    for height in range(10, 60):
        driver = Driver(host(20), size=Size(100, height)).press("1", "end")
        lines = driver.lines()
        names = [line for line in lines if line.startswith("prod-")]
        if any(line.startswith("lines ") for line in lines):
            at = next(place for place, line in enumerate(lines) if line.startswith("lines "))
            assert all(lines[place] for place in range(at))
        else:
            assert len(names) == 20


def test_a_new_order_keeps_what_is_selected_on_the_screen() -> None:
    driver = Driver(host(50), size=Size(80, 24)).press("1", *["down"] * 5)
    name = (driver.selected() or "").split()[0]
    driver.press("right", "right", "left", "left", "left")
    assert (driver.selected() or "").split()[0] == name


def test_headings_between_lists_are_passed() -> None:
    driver = Driver(host(3), size=Size(120, 40)).press("1", "enter")
    texts_seen = [driver.selected()]
    for _ in range(12):
        texts_seen.append(driver.press("down").selected())
    assert not any("reason / address" in (text or "") for text in texts_seen)
    assert any("0x0608" in (text or "") for text in texts_seen)
    assert texts(driver.grid())


@settings(max_examples=50)
@given(BY, st.sampled_from([Isa.VMX, Isa.NONE]), st.lists(KEYS, max_size=6))
def test_any_grouping_can_be_opened_and_has_trends(
    by: tuple[str, ...], isa: Isa, keys: list[str]
) -> None:
    first = first_state(Query(by), 1.0, own_by=True, has_exit_events=bool(isa))
    driver = Driver(host(2, isa), host(2, isa, 1), size=Size(200, 40), state=first)
    for key in ("down", "enter", *keys):
        driver.press(key)
        driver.grid()
    driver.add(host(3, isa, 2))
    assert driver.grid()

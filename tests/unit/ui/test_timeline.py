"""A timeline's table has each line's rate over time, in the room there is."""

import io
import time

import pytest

from bpfexit.model.snapshot import Snapshot, merged
from bpfexit.model.timeline import Timeline
from bpfexit.model.view import Query, view
from bpfexit.ui.console import PlainConsole
from bpfexit.ui.timeline import timeline_table
from tests.unit.builders import Exits, snapshot

START = 1_700_000_000.0
BARS = set("▁▂▃▄▅▆▇█ ")


def seconds(*counts: tuple[int, int], vm: str = "alpha") -> list[Snapshot]:
    """Return a second for each pair: exits of CPUID, and of HLT."""
    return [
        snapshot(
            Exits("CPUID", ns=(1000,) * cpuid, vm=vm),
            Exits("HLT", ns=(1000,) * hlt, vm=vm),
            start=START + at,
        )
        for at, (cpuid, hlt) in enumerate(counts)
    ]


def shown(of: list[Snapshot], query: Query, width: int = 100) -> list[str]:
    timeline = Timeline(query)
    for each in of:
        timeline.add(each)
    out = io.StringIO()
    whole = merged(of)
    console = PlainConsole(file=out, width=width)
    console.print(timeline_table(view(whole, query), timeline, whole.start, width))
    return out.getvalue().splitlines()


def test_each_line_has_its_course_its_mean_rate_and_its_peak() -> None:
    heading, cpuid, hlt = shown(seconds((1, 8), (9, 8)), Query(("reason",)))
    first, last = (time.strftime("%H:%M:%S", time.localtime(START + at)) for at in (0, 2))
    assert heading.split() == ["reason", first, last, "per", "s", "peak"]
    name, *timeline, rate, peak = cpuid.split()
    assert (name, rate, peak) == ("CPUID", "5.0", "9.0")
    assert set("".join(timeline)) <= BARS
    low, high = "".join(timeline)[0], "".join(timeline)[-1]
    assert BARS_IN_ORDER.index(low) < BARS_IN_ORDER.index(high) == len(BARS_IN_ORDER) - 1
    name, *timeline, rate, peak = hlt.split()
    assert (name, rate, peak) == ("HLT", "8.0", "8.0")
    assert len(set("".join(timeline))) == 1


BARS_IN_ORDER = "▁▂▃▄▅▆▇█"


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_it_fits_the_terminal(width: int) -> None:
    lines = shown(seconds((1, 2), (3, 4), vm="a-guest-with-a-name"), Query(("vm", "reason")), width)
    assert max(len(line) for line in lines) <= width
    assert len(lines) == 3


@pytest.mark.parametrize("width", [60, 80, 100])
def test_no_number_is_cut_where_labels_are_long(width: int) -> None:
    long = "a-guest-with-a-name-of-some-length"
    lines = shown(seconds((80, 1234), vm=long), Query(("vm", "vcpu", "reason")), width)
    assert [line.split()[-2:] for line in lines[1:]] == [["80.0", "80.0"], ["1,234", "1,234"]]
    assert max(len(line) for line in lines) <= width


def test_what_is_hidden_is_said() -> None:
    lines = shown(seconds((1, 2)), Query(("reason",), limit=1))
    assert lines[-1] == "1 more line (-n 0 shows all)"


def test_a_hostile_name_is_shown_clean() -> None:
    lines = shown(seconds((1, 1), vm="[bold]\x1b[2Jx"), Query(("vm",)))
    assert "\x1b" not in "".join(lines)
    assert "[bold]" in lines[1]

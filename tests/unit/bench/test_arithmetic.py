"""The arithmetic between what was measured and what is printed."""

import time

import pytest

from tests.bench import kvmexit
from tests.bench.instructions import added
from tests.bench.memory import kib, maps_bytes
from tests.bench.report import share_lost
from tests.bench.stopwatch import timing
from tests.bench.throughput import of_untraced


def test_added_is_what_a_loop_takes_more() -> None:
    bare = {"port, kernel": 1702.1, "CPUID": 2674.0}
    assert added({"CPUID": 3491.0, "port, kernel": 2692.3}, bare) == ["990", "817"]


@pytest.mark.parametrize(
    ("exits", "told", "lost"), [(100, 100, "none"), (100, 103, "none"), (8, 6, "25.00%")]
)
def test_exits_not_told_of_are_lost(exits: int, told: int, lost: str) -> None:
    assert share_lost(exits, told) == lost


def test_a_map_with_two_descriptors_counts_once() -> None:
    rows = "pos:\t0\nmap_type:\t2\nmemlock:\t9437184\nmap_id:\t41\n"
    hash_map = "pos:\t0\nmap_type:\t1\nmemlock:\t4096\nmap_id:\t42\n"
    program = "pos:\t0\nprog_type:\t5\nmemlock:\t8192\nprog_id:\t41\n"
    assert maps_bytes(iter([rows, hash_map, rows, program])) == 9437184 + 4096


def test_status_is_read_by_name() -> None:
    assert kib("VmHWM:\t  205 kB\nRssAnon:\t   40332 kB\n", "RssAnon") == 40332


def test_kvmexit_is_adapted_only_when_it_is_the_one_known() -> None:
    text = "\n".join(old for old, _ in kvmexit.CHANGES)
    assert kvmexit.adapted(text) == "\n".join(new for _, new in kvmexit.CHANGES)
    with pytest.raises(ValueError, match="REASON_NUM"):
        kvmexit.adapted(text.replace("REASON_NUM 69", "REASON_NUM 75"))


def test_parts_are_timed_where_their_caller_looks_them_up() -> None:
    ticks = iter(range(0, 100, 3))
    with timing({"sleep": ("time.sleep",)}, lambda: next(ticks)) as took:
        time.sleep(0)
        time.sleep(0)
    assert took == {"sleep": 6}


def test_a_run_is_compared_with_the_one_of_its_round() -> None:
    assert of_untraced([50.0, 90.0, 300.0], [100.0, 100.0, 400.0]) == 0.75

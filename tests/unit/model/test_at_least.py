"""Only exits of at least some time, and the columns that `perf kvm stat` has."""

from math import isnan

import numpy as np
import pytest

from bpfexit.commands.report import report
from bpfexit.model.at_least import edge_at_least
from bpfexit.model.histogram import LOWER_NS
from bpfexit.model.view import Query, default_query, view
from tests.unit.builders import Exits, pio, snapshot
from tests.unit.invoking import invoke

DEMO = "bpfexit/data/svm-demo.jsonl.gz"


@pytest.mark.parametrize(("ns", "edge"), [(1, 16), (16, 16), (65, 80), (1 << 36, 1 << 36)])
def test_a_time_is_rounded_up_to_the_edge_of_a_bucket(ns: int, edge: int) -> None:
    assert edge_at_least(ns) == edge
    assert edge in LOWER_NS


def test_there_is_no_edge_above_the_last() -> None:
    assert edge_at_least((1 << 36) + 1) is None


def test_only_slow_exits_are_counted_and_their_sums_are_not_known() -> None:
    exits = pio(0x608, ns=(70, 80, 5000), user_ns=(9,)), Exits("CPUID", ns=(70,) * 4)
    (line,) = view(snapshot(*exits), Query(("reason",), "rate", than_ns=80)).lines
    assert (line.reason, line.numbers["count"], line.numbers["max"]) == ("IO_INSTRUCTION", 2, 5000)
    assert line.numbers["samples"] == pytest.approx(2 / 7)  # of all exits
    assert all(isnan(line.numbers[name]) for name in ("time", "mean", "user", "error"))
    assert line.numbers["p50"] >= 80


def test_slow_exits_are_sorted_by_rate_as_their_time_is_not_known() -> None:
    assert default_query(True, None, None, than_ns=80).sort == "rate"
    assert default_query(True, None, None).sort == "time"


def test_minimum_deviation_and_error_come_from_the_buckets() -> None:
    rng = np.random.default_rng(7)
    ns = rng.lognormal(9, 0.5, 5000).astype(int)
    numbers = (
        view(snapshot(Exits("CPUID", ns=tuple(ns.tolist()))), Query(("reason",))).lines[0].numbers
    )
    assert numbers["min"] <= ns.min() < numbers["min"] * 1.26
    assert numbers["stddev"] == pytest.approx(ns.std(), rel=0.05)
    assert numbers["error"] == pytest.approx(numbers["stddev"] / ns.mean() / np.sqrt(5000))
    assert numbers["samples"] == 1


def test_one_exit_has_no_deviation() -> None:
    numbers = view(snapshot(Exits("CPUID", ns=(100,))), Query(("reason",))).lines[0].numbers
    assert isnan(numbers["stddev"])
    assert isnan(numbers["error"])
    assert numbers["min"] == 96


def test_the_command_prints_the_edge_and_takes_the_names_of_perf() -> None:
    done = invoke(report, DEMO, "--by", "vmexit,ioport", "--than", "100us", "-n", "1")
    assert done.exit_code == 0
    assert "showing exits of at least 114,688 ns, the next edge of a bucket" in done.stderr
    assert "io " in done.stdout
    exact = invoke(report, DEMO, "--than", "114688ns", "-n", "1")
    assert exact.stderr == ""


def test_threads_are_chosen_in_a_recording() -> None:
    none = invoke(report, DEMO, "-t", "1")
    assert "no exit of thread 1" in none.stderr
    one = invoke(report, DEMO, "-t", "143", "--by", "class", "-n", "1")
    assert "io " in one.stdout

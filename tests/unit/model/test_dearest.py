"""The dearest exit of a guest."""

from bpfexit.model.dearest import dearest
from bpfexit.model.view import Query, view
from bpfexit.names.reasons import Isa
from tests.unit.builders import Exits, pio, snapshot


def test_it_is_the_one_that_took_most_of_the_time() -> None:
    of = snapshot(
        Exits("HLT", (10**9,)),
        Exits("CPUID", (5,) * 100),
        pio(0x608, ns=(900,)),
        pio(0x70, ns=(300,) * 2),
        Exits("CPUID", (1,), vm="beta", pid=200, tid=201),
        Exits("HLT", (10**9,), vm="idle", pid=300, tid=301),
    )
    find = dearest(of, ("vm",))
    found = {line.vm: find(line) for line in view(of, Query(("vm",))).lines}
    assert found["alpha"]
    assert found["alpha"].address == 0x608
    assert found["beta"]
    assert found["beta"].reason == "CPUID"
    assert found["idle"] is None


def test_a_class_of_reasons_has_its_own() -> None:
    of = snapshot(pio(0x608, ns=(900,)), pio(0x70, ns=(300,)), Exits("CPUID", (5000,)))
    find = dearest(of, ("class",))
    found = {line.reason_class: find(line) for line in view(of, Query(("class",))).lines}
    assert found["io"]
    assert found["io"].address == 0x608
    assert found["cpuid"]
    assert found["cpuid"].reason == "CPUID"


def test_of_slow_exits_it_is_the_one_that_most_of_them_are() -> None:
    of = snapshot(pio(0x608, ns=(9_000,)), pio(0x70, ns=(8_500,) * 2), pio(0x80, ns=(5_000,) * 9))
    (line,) = view(of, Query(("vm",))).lines
    found = dearest(of, ("vm",), 8192)(line)
    assert found
    assert found.address == 0x70


def test_without_times_it_is_the_one_with_most_time_in_user_space() -> None:
    rows = [
        pio(0x70, isa=Isa.NONE, reason=None, no_latency=40),
        pio(0x608, isa=Isa.NONE, reason=None, no_latency=4, user_ns=(2500,)),
    ]
    of = snapshot(*rows)
    (line,) = view(of, Query(("vcpu",))).lines
    found = dearest(of, ("vcpu",))(line)
    assert found
    assert found.address == 0x608

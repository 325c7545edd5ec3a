"""Accesses without an exit, as VMX without unrestricted guests has them, by its programs here.

PVM emits neither kvm_exit nor kvm_entry: to the programs for VMX every access of its guests is one
that KVM emulates outside any exit.
"""

from dataclasses import replace

import pytest

from bpfexit.host import kvm
from bpfexit.host.kvm import BACKENDS
from bpfexit.host.preflight import Ready
from bpfexit.names.reasons import Isa
from tests.costing import MIX, measured
from tests.counting import CONTROL_PORT, Counted, Place

(VMX,) = (backend for backend in BACKENDS if backend.isa is Isa.VMX)


@pytest.fixture(scope="module")
def found(needs_bpf: Ready, needs_kvm: None) -> Counted:
    if needs_bpf.backend.emits_exits:
        pytest.skip("this back end emits kvm_exit for every access")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kvm, "emulates_real_mode", lambda: True)
        everything = measured(replace(needs_bpf, backend=VMX), ["--mix", MIX, "--rounds", "1"])
    rows = [row for row in everything.snapshots[0]["rows"] if row["pid"] == everything.guest["pid"]]
    return Counted(everything.guest, [everything.snapshots[0] | {"rows": rows}])


def test_each_is_counted_once_at_its_address(found: Counted) -> None:
    assert set(found.places() - found.done()) <= {Place("pio", "write", CONTROL_PORT)}
    assert found.done() - found.places() == {}
    assert found.lost == {}


def test_none_has_a_reason_or_a_latency(found: Counted) -> None:
    assert {(row["isa"], row["reason"], row["total_ns"]) for row in found.rows} == {
        ("vmx", None, None)
    }
    assert all(row["no_latency"] == row["count"] for row in found.rows)


def test_the_last_one_waits_for_what_comes_next(found: Counted) -> None:
    assert found.snapshots[0]["in_flight"] >= 1

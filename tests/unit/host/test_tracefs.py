"""Where the tracing file system is, and what is read there."""

import errno
from pathlib import Path

import pytest

from bpfexit.host import tracefs
from tests.unit.fake_machine import EXIT_FORMAT, Machine


@pytest.mark.parametrize("place", ["sys/kernel/tracing", "sys/kernel/debug/tracing"])
def test_it_is_found_at_either_place(tmp_path: Path, place: str) -> None:
    (tmp_path / place / "events").mkdir(parents=True)
    assert tracefs.find(tmp_path) == tmp_path / place


def test_its_own_place_comes_first(tmp_path: Path) -> None:
    for place in ("sys/kernel/tracing", "sys/kernel/debug/tracing"):
        (tmp_path / place / "events").mkdir(parents=True)
    assert tracefs.find(tmp_path) == tmp_path / tracefs.MOUNT_POINT


def test_an_empty_mount_point_is_no_tracefs(tmp_path: Path) -> None:
    (tmp_path / tracefs.MOUNT_POINT).mkdir(parents=True)
    assert tracefs.find(tmp_path) is None
    assert not tracefs.is_hidden(tmp_path)


def test_a_mount_point_that_is_not_there_is_not_hidden(tmp_path: Path) -> None:
    assert not tracefs.is_hidden(tmp_path)


def test_mounting_where_there_is_no_place_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=tracefs.MOUNT_POINT) as error:
        tracefs.mount(tmp_path)
    assert error.value.errno in (errno.ENOENT, errno.EPERM)  # as root, and as anybody else


def test_the_format_of_an_event(intel: Machine) -> None:
    assert tracefs.event_format(intel.tracefs, "kvm:kvm_exit") == EXIT_FORMAT
    assert tracefs.event_format(intel.tracefs, "kvm:kvm_entrance") is None
    (intel.tracefs / "events/kvm/kvm_hidden/format").mkdir(parents=True)
    with pytest.raises(OSError, match="kvm_hidden"):
        tracefs.event_format(intel.tracefs, "kvm:kvm_hidden")


def test_offsets_of_fields() -> None:
    text = EXIT_FORMAT + "\tfield:char names[16];\toffset:64;\tsize:16;\tsigned:0;\n"
    assert tracefs.field_offsets(text) == {
        "common_type": 0,
        "exit_reason": 8,
        "guest_rip": 16,
        "isa": 24,
        "vcpu_id": 56,
        "names": 64,
    }


def test_a_text_that_is_no_format_has_no_fields() -> None:
    assert tracefs.field_offsets("print fmt: nothing") == {}

"""`bpfexit testguest` as a person runs it: its tables, and what it refuses."""

import subprocess
import sys
from pathlib import Path

import pytest

from bpfexit.errors import BpfexitError
from bpfexit.testguest import machine
from bpfexit.testguest.mix import parse_mix, work_of
from bpfexit.testguest.program import Program, assemble

pytestmark = pytest.mark.kvm

GUEST = [sys.executable, "-m", "bpfexit", "testguest"]


def test_a_person_gets_a_table_and_the_rate(needs_kvm: None) -> None:
    command = [*GUEST, "--mix", "pio-read-user@0x70=5", "--exits", "1009"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[1].split() == [
        "pio-read-user", "0x70", "in", "eax,", "0x70", "user", "1,009",
    ]  # fmt: skip
    assert done.stderr.startswith("1,009 exits by 1 vCPU in ")


def test_the_list_names_operations_and_mixes() -> None:
    done = subprocess.run([*GUEST, "--list"], capture_output=True, text=True, check=True)
    assert "\nmsr-write " in done.stdout
    assert "\nclock " in done.stdout


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--exits", "1", "--rounds", "1"], "exclude each other"),
        (["--mix", "cpuidd"], "did you mean cpuid?"),
        (["--exits", "0"], "--exits"),
    ],
)
def test_wrong_usage_is_one_sentence_and_exit_code_2(options: list[str], words: str) -> None:
    done = subprocess.run([*GUEST, *options], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_a_missing_device_is_said_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(machine, "DEVICE", str(tmp_path / "kvm"))
    with pytest.raises(BpfexitError, match="No such file or directory: load kvm_intel or kvm_amd"):
        machine.Machine([assemble(work_of(parse_mix("pio"), 1), 0)])


def test_a_device_that_is_not_kvm_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(machine, "DEVICE", "/dev/null")
    with pytest.raises(BpfexitError, match="KVM_GET_API_VERSION"):
        machine.Machine([assemble(work_of(parse_mix("pio"), 1), 0)])


def test_a_guest_that_dies_says_of_what(needs_kvm: None) -> None:
    undefined = b"\x0f\x0b".ljust(0x2000, b"\0")  # ud2, and nobody there to handle it
    with (
        machine.Machine([Program(0, 0, undefined, ())]) as broken,
        pytest.raises(BpfexitError, match=r"the guest died: KVM_EXIT_\w+"),
    ):
        broken.vcpus[0].run(serve=lambda: None, pause=lambda: None)


def test_a_mix_that_fills_the_memory_is_refused(needs_kvm: None) -> None:
    work = work_of(parse_mix("pio"), 1)
    with pytest.raises(BpfexitError, match="16 MiB"):
        machine.Machine([assemble(work, 16 << 20)])

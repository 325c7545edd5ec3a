"""A compilation is found again by all that it depends on, and by nothing else."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bpfexit.tracer import plan as programs
from bpfexit.tracer.compiling import flags_of
from bpfexit.tracer.loading import cache_key
from tests.unit.tracer.test_plan import BY_RECORD, RECORDS

TEXT, FLAGS = "int on_kvm_exit(void *ctx) { return 1; }", ["-DMAX_VCPUS=16"]
PRINT_FLAGS = """
from bpfexit.tracer.compiling import flags_of
from tests.unit.tracer.test_plan import PLANS
print([flags_of(plan) for plan in PLANS.values()])
"""
SYSTEM = ("Linux", "host", "6.1.0-40-amd64", "#1 SMP Debian 6.1.153-1", "x86_64")


@pytest.fixture(autouse=True)
def bcc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a package `bcc`, the only one that is found, on a known system."""
    package = tmp_path / "bcc.py"
    package.write_text("BPF = None\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    monkeypatch.delitem(sys.modules, "bcc", raising=False)
    run_on(SYSTEM, monkeypatch)
    return package


def run_on(system: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "uname", lambda: os.uname_result(system))


def test_the_same_has_the_same_key(monkeypatch: pytest.MonkeyPatch) -> None:
    key = cache_key(TEXT, FLAGS)
    run_on((SYSTEM[0], "renamed", *SYSTEM[2:]), monkeypatch)
    assert cache_key(TEXT, list(FLAGS)) == key is not None


def test_another_text_or_flag_has_another_key() -> None:
    keys = {cache_key(text, flags) for text in (TEXT, TEXT + " ") for flags in (FLAGS, [])}
    assert len(keys) == 4


@pytest.mark.parametrize("at", [2, 3, 4])
def test_another_kernel_has_another_key(monkeypatch: pytest.MonkeyPatch, at: int) -> None:
    key = cache_key(TEXT, FLAGS)
    run_on((*SYSTEM[:at], SYSTEM[at] + "+", *SYSTEM[at + 1 :]), monkeypatch)
    assert cache_key(TEXT, FLAGS) != key


@pytest.mark.parametrize("name", ["loading.__version__", "loading.document.FORMAT"])
def test_another_bpfexit_has_another_key(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    key = cache_key(TEXT, FLAGS)
    monkeypatch.setattr(f"bpfexit.tracer.{name}", "another")
    assert cache_key(TEXT, FLAGS) != key


def test_other_headers_have_another_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = cache_key(TEXT, FLAGS)
    (tmp_path / "headers/include").mkdir(parents=True)
    monkeypatch.setattr(programs, "folder", lambda: tmp_path)
    without = cache_key(TEXT, FLAGS)
    (tmp_path / "headers/include/types.h").write_text("typedef int s32;\n")
    assert len({key, without, cache_key(TEXT, FLAGS)}) == 3


def test_another_bcc_has_another_key_and_none_has_none(bcc: Path) -> None:
    key = cache_key(TEXT, FLAGS)
    os.utime(bcc, (1, 1))
    assert cache_key(TEXT, FLAGS) != key
    bcc.unlink()
    assert cache_key(TEXT, FLAGS) is None
    bcc.with_suffix("").mkdir()  # a folder of data, which Python takes for a package
    assert cache_key(TEXT, FLAGS) is None


def test_the_number_of_rows_is_none_of_the_compilers_business() -> None:
    few, many = (
        programs.plan_with_exits(RECORDS, BY_RECORD, False, rows, 16) for rows in (10, 1 << 20)
    )
    assert flags_of(few) == flags_of(many)
    assert "-DMAX_VCPUS=16" in flags_of(few)


def test_another_process_has_the_same_flags() -> None:
    """Python hashes names differently in each, and what comes from a set is in that order."""
    printed = {
        subprocess.run(
            [sys.executable, "-c", PRINT_FLAGS],
            check=True,
            capture_output=True,
            text=True,
            env=os.environ | {"PYTHONHASHSEED": str(seed)},
        ).stdout
        for seed in range(6)
    }
    assert len(printed) == 1
    assert "-DMSR_FROM_EXIT=1" in printed.pop()

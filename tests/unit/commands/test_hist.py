"""What `hist` refuses and says, on recordings written for it."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bpfexit.commands.hist import hist
from bpfexit.errors import BpfexitError, UsageError
from bpfexit.formats.hist.registry import FORMATS
from bpfexit.formats.json import snapshot as snapshot_json
from bpfexit.model.losses import Lost
from bpfexit.model.snapshot import Origin, Snapshot
from bpfexit.names.reasons import Isa
from tests.unit.builders import Exits, pio, snapshot

SEEN = snapshot(pio(0x70, ns=(100, 200)), Exits("HLT", ns=(10**6,)), Exits("CPUID", no_latency=2))
BLIND = snapshot(
    pio(0x70, reason=None, isa=Isa.NONE, no_latency=9),
    origin=Origin("host", "6.18.0", "kvm_pvm", has_exit_events=False),
)


def run(path: Path, of: Snapshot, *options: str) -> Result:
    path.write_text(snapshot_json.encode(of) + "\n")
    return CliRunner().invoke(hist, ["--input", str(path), *options])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "exits.jsonl"


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["-d", "5"], "reads the whole recording"),
        (["--weight", "time"], "--weight does not apply to the format text"),
        (["-f", "folded", "--buckets", "fine"], "--buckets does not apply to the format folded"),
        (["-f", "hgrm"], "not 2: choose one with"),
    ],
)
def test_what_makes_no_sense_is_refused(path: Path, options: list[str], why: str) -> None:
    failed = run(path, SEEN, *options).exception
    assert isinstance(failed, UsageError)
    assert why in str(failed)


@pytest.mark.parametrize("form", [[each] for each in FORMATS if each != "folded"])
def test_without_exits_there_are_no_latencies(path: Path, form: list[str]) -> None:
    failed = run(path, BLIND, "-f", *form).exception
    assert isinstance(failed, BpfexitError)
    assert failed.exit_code == 1
    assert str(failed).startswith("kvm_pvm has no kvm_exit event, so there are no latencies")


def test_without_exits_accesses_fold_by_count_and_not_by_time(path: Path) -> None:
    assert run(path, BLIND, "-f", "folded").stdout == "alpha;vCPU_0;0x0070_read_(rtc-index?) 9\n"
    failed = run(path, BLIND, "-f", "folded", "--weight", "time").exception
    assert isinstance(failed, BpfexitError)


def test_what_is_not_shown_is_said(path: Path) -> None:
    assert "2 exits have no latency" in run(path, SEEN).output
    assert "2 more not shown" in run(path, SEEN, "-n", "1").output
    assert "1 more not shown" in run(path, SEEN, "-n", "2").output
    assert "no exit has a latency" in run(path, snapshot()).output


def test_what_is_lost_is_said(path: Path) -> None:
    lossy = snapshot(Exits(ns=(5,)), lost=Lost(map_full=7, extra_accesses=3))
    output = run(path, lossy).output
    assert "7 exits in no row, the map is full (map_full)" in output
    assert "accesses beyond" not in output


def test_hgrm_of_nothing_is_a_failure(path: Path) -> None:
    assert isinstance(run(path, snapshot(), "-f", "hgrm").exception, BpfexitError)


def test_buckets_may_be_fine_or_coarse(path: Path) -> None:
    assert '"max": 127' in run(path, SEEN, "-f", "bpftrace").stdout
    assert '"max": 111' in run(path, SEEN, "-f", "bpftrace", "--buckets", "fine").stdout
    assert "[64,128,1]" in run(path, SEEN, "-f", "json", "--buckets", "log2").stdout

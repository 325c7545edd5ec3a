"""The wheel carries the programs, and works from a venv that sees the distribution's packages."""

import json
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from bpfexit.host.preflight import Ready
from bpfexit.tracer import plan as programs

CHECKOUT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    options = ["--no-deps", "--no-build-isolation", "--quiet", "--wheel-dir", str(folder)]
    subprocess.run([sys.executable, "-m", "pip", "wheel", *options, str(CHECKOUT)], check=True)
    (found,) = folder.glob("bpfexit-*.whl")
    return found


def test_it_carries_every_program_and_stand_in_header(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    sources = [path for path in programs.folder().rglob("*") if path.is_file()]
    assert sources
    for path in sources:
        assert f"bpfexit/bpf_programs/{path.relative_to(programs.folder())}" in names


def test_it_carries_the_recording_of_the_demo_and_no_tests(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert "bpfexit/data/svm-demo.jsonl.gz" in names
    assert "bpfexit/exporting/data/dashboard.json" in names
    assert not [name for name in names if name.startswith("tests")]


def test_installed_it_loads_its_programs(wheel: Path, tmp_path: Path, needs_bpf: Ready) -> None:
    venv = tmp_path / "venv"
    subprocess.run(
        ["/usr/bin/python3", "-m", "venv", "--system-site-packages", venv], check=True, text=True
    )
    python = venv / "bin/python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", "--no-deps", str(wheel)], check=True)
    # The dependencies are those of the venv that runs this: no network is needed.
    site = next((venv / "lib").glob("python3*/site-packages"))
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    # The folder of the checkout would come first otherwise.
    done = subprocess.run(
        [venv / "bin/bpfexit", "doctor", "-j"],
        check=True,
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    checks = {check["name"]: check for check in map(json.loads, done.stdout.splitlines())}
    assert checks["programs"]["status"] == "ok"
    where = subprocess.run(
        [python, "-c", "import bpfexit; print(bpfexit.__file__)"],
        check=True,
        capture_output=True,
        text=True,
        cwd=tmp_path,
    ).stdout
    assert str(venv) in where

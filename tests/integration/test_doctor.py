"""`bpfexit doctor` on this machine, as a person runs it."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from bpfexit.host import preflight

DOCTOR = (sys.executable, "-m", "bpfexit", "doctor")
NO_MAP_SOURCES = 65534
CHECKOUT = Path(__file__).resolve().parents[2]
AUDITED = """
import json, sys
from bpfexit.host import preflight
seen = []
sys.addaudithook(lambda event, arguments: seen.append((event, [str(each) for each in arguments])))
preflight.ready()
print(json.dumps(seen))
"""
"""Prints what Python's audit hooks see of the checks, in a process that has the hook for good."""

FEW_BYTES = 100_000
"""Some five times what they read; the kernel's symbols or types have millions."""


def run(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    # One command runs as nobody, who may write no bytecode beside the sources.
    variables = {"PYTHONPATH": str(CHECKOUT), "PYTHONDONTWRITEBYTECODE": "1", **environment}
    return subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, **variables}
    )


def test_all_is_well_where_exits_can_be_counted(
    needs_bpf: preflight.Ready, needs_root: None
) -> None:
    done = run(*DOCTOR)
    assert (done.returncode, done.stderr) == (0, "")
    assert "FAIL" not in done.stdout
    programs, cached = done.stdout.splitlines()[-2:]
    assert programs.startswith("ok    programs                compiled, loaded, attached and")
    assert re.fullmatch(
        r"ok    cache +in use: /var/cache/bpfexit holds \d+ of at most 32 compila\w+", cached
    )
    for event in preflight.needed_events(needs_bpf.backend):
        assert f"ok    kvm:{event} " in done.stdout


def test_every_line_of_json_is_a_check(needs_bpf: preflight.Ready) -> None:
    done = run(*DOCTOR, "--json")
    checks = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0
    fields = {"schema", "name", "status", "fact", "remedy"}
    assert all(set(check) == fields for check in checks)
    assert {check["status"] for check in checks} <= {"ok", "warn"}
    assert [check["name"] for check in checks[-3:]] == ["bcc", "programs", "cache"]


def test_into_a_pipe_there_is_a_line_a_check_without_colours(needs_bpf: preflight.Ready) -> None:
    plain, documents = run(*DOCTOR, COLUMNS="40"), run(*DOCTOR, "-j")
    assert "\x1b" not in plain.stdout
    assert len(plain.stdout.splitlines()) == len(documents.stdout.splitlines())


def test_nobody_is_told_to_be_root(needs_root: None, needs_bpf: preflight.Ready) -> None:
    nobody = ("setpriv", f"--reuid={NO_MAP_SOURCES}", f"--regid={NO_MAP_SOURCES}", "--clear-groups")
    done = run(*nobody, *DOCTOR)
    assert done.returncode == 1, done.stderr
    assert done.stderr == ""
    words = "this process lacks CAP_BPF and CAP_PERFMON: run bpfexit as root"
    assert words in done.stdout
    assert "warn  programs " in done.stdout


def test_a_python_without_the_binding_is_told_of_it(
    needs_bpf: preflight.Ready, tmp_path: Path
) -> None:
    (tmp_path / "bcc.py").write_text("raise ImportError")
    done = run(*DOCTOR, PYTHONPATH=f"{tmp_path}:{CHECKOUT}")
    assert done.returncode == 1
    assert done.stderr == ""
    assert "python3-bpfcc" in next(line for line in done.stdout.splitlines() if " bcc " in line)


def test_the_checks_before_a_command_only_read_a_few_small_files(
    needs_bpf: preflight.Ready,
) -> None:
    """So they are quick: they start no process, load no library, compile and wait for nothing."""
    done = run(sys.executable, "-c", AUDITED)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert {event for event, _ in seen} <= {"open", "os.listdir", "os.scandir"}
    files = [Path(path) for event, (path, *_) in seen if event == "open"]
    assert files
    assert sum(len(file.read_bytes()) for file in files if os.access(file, os.R_OK)) < FEW_BYTES

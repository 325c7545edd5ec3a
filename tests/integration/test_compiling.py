"""Programs are compiled by a child process, once: it leaves nothing behind but the cache."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bpfexit.errors import BpfexitError
from bpfexit.tracer import compiling
from bpfexit.tracer.compiling import compile_text
from tests.counting import started, until_counting
from tests.ending import BPFEXIT, ENOUGH_S
from tests.waiting import eventually

pytestmark = pytest.mark.usefixtures("needs_bpf", "needs_root")

CHECKOUT = Path(__file__).resolve().parents[2]
TOP = (*BPFEXIT, "top", "-j", "0.2", "1")
MOST_MIB = 60

NOTED = """\
import sys
with open({log!r}, "a") as file:
    file.write("compiles\\n")
sys.path.remove({folder!r})
del sys.modules["bcc"]
import bcc
"""
"""A package `bcc` that notes that it is imported, and then is the distribution's."""

WAITING = """\
import time
open({log!r}, "w").close()
time.sleep(3600)
"""

REFUSED = """
import json
from bpfexit.tracer import cache
(path,) = cache.FOLDER.iterdir()
content = path.read_bytes()
key_bytes = int.from_bytes(content[4:8], "little")
key, bundle = content[8 : 8 + key_bytes], json.loads(content[8 + key_bytes :])
assert cache.load(key)
for program in bundle["programs"].values():
    program.update(instructions="95" + 7 * "00", maps=[])  # returns nothing
cache.store(key, json.dumps(bundle).encode())
"""
"""Puts an entry into the cache that is whole, and that the kernel refuses."""


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log"


@pytest.fixture
def modules(tmp_path: Path) -> Path:
    """Return a folder that comes before the distribution's packages."""
    folder = tmp_path / "modules"
    folder.mkdir()
    return folder


def with_bcc(text: str, modules: Path, log: Path) -> dict[str, str]:
    """Make a package `bcc`; return the environment that has it."""
    (modules / "bcc.py").write_text(text.format(log=str(log), folder=str(modules)))
    return os.environ | {"PYTHONPATH": f"{modules}:{CHECKOUT}"}


def with_own_cache(script: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a shell script, whose `$@` is a command that counts, with a cache that is empty."""
    script = f"mount -t tmpfs tmpfs /var/cache; cd /var/cache; {script}"
    return subprocess.run(
        ["unshare", "--mount", "sh", "-ec", script, "sh", *TOP],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=2 * ENOUGH_S,
    )


def compilations(script: str, log: Path, environment: dict[str, str], starts: int) -> int:
    """Run the script, in which so many commands count; return how often it has compiled."""
    done = with_own_cache(script, environment)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("\n") == done.stderr.count("counting on") == starts
    assert done.stdout.count("bpfexit.snapshot") == starts
    return log.read_text().count("compiles")


def test_only_the_first_start_compiles(modules: Path, log: Path) -> None:
    environment = with_bcc(NOTED, modules, log)
    script = '"$@"; "$@" --max-rows 77; mount -o remount,ro /var/cache; "$@"'
    assert compilations(script, log, environment, starts=3) == 1


def test_another_choice_of_vcpus_compiles_nothing(modules: Path, log: Path) -> None:
    environment = with_bcc(NOTED, modules, log)
    assert compilations('"$@" -v 0; "$@" -v 1,77', log, environment, starts=2) == 1


@pytest.mark.parametrize(
    "between",
    [
        "rm bpfexit/*",
        "truncate -s 5000 bpfexit/*",
        "chmod o+w bpfexit/*",
        "chmod o+w bpfexit",
        "chown 1234 bpfexit",
        "mv bpfexit elsewhere; ln -s elsewhere bpfexit",
        "rm -r bpfexit; touch bpfexit",
        "rm -r bpfexit; mount -o remount,ro /var/cache",
        "mount -t tmpfs -o size=4k tmpfs /var/cache",
        "umount -l /var/cache; mount -t tmpfs tmpfs /var",
        'touch -d 2001-01-01 "$BCC"',  # another one is installed
    ],
)
def test_a_cache_of_no_use_costs_a_compilation(modules: Path, log: Path, between: str) -> None:
    environment = with_bcc(NOTED, modules, log) | {"BCC": str(modules / "bcc.py")}
    script = f'"$@"; {between}; "$@"'
    assert compilations(script, log, environment, starts=2) == 2


def test_what_the_kernel_refuses_is_compiled_anew(modules: Path, log: Path) -> None:
    environment = with_bcc(NOTED, modules, log) | {"PYTHON": sys.executable, "REFUSED": REFUSED}
    script = '"$@"; "$PYTHON" -c "$REFUSED"; "$@"; "$@"'
    assert compilations(script, log, environment, starts=3) == 2


@contextmanager
def waiting(modules: Path, log: Path, *command: str) -> Iterator[subprocess.Popen[str]]:
    """Start a command that waits for its compiler, in a session of its own."""
    pipe, script = subprocess.PIPE, 'mount -t tmpfs tmpfs /var/cache; exec "$@"'
    with subprocess.Popen(
        ["unshare", "--mount", "sh", "-ec", script, "sh", *BPFEXIT, *command],
        env=with_bcc(WAITING, modules, log),
        stdout=pipe,
        stderr=pipe,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            eventually(log.exists, ENOUGH_S)
            yield process
        finally:
            process.kill()


def children(process: subprocess.Popen[str]) -> list[int]:
    text = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
    return [int(pid) for pid in text.split()]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("command", [("top",), ("record", "-o", "exits.jsonl")])
def test_the_compiler_ends_with_whoever_waits_for_it(
    modules: Path, log: Path, command: tuple[str, ...], number: signal.Signals
) -> None:
    with waiting(modules, log, *command) as process:
        (child,) = children(process)
        process.send_signal(number)
        output, said = process.communicate(timeout=ENOUGH_S)
        assert (process.returncode, output, said) == (-number, "", "")
        eventually(lambda: not os.path.exists(f"/proc/{child}"), ENOUGH_S)


def test_ctrl_c_on_the_terminal_leaves_no_compiler(modules: Path, log: Path) -> None:
    with waiting(modules, log, "top") as process:
        (child,) = children(process)
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(ENOUGH_S) == -signal.SIGINT
        eventually(lambda: not os.path.exists(f"/proc/{child}"), ENOUGH_S)


def test_a_compiler_that_is_killed_is_an_error(modules: Path, log: Path) -> None:
    with waiting(modules, log, "top", "-j") as process:
        (child,) = children(process)
        os.kill(child, signal.SIGKILL)
        _, said = process.communicate(timeout=ENOUGH_S)
    assert process.returncode == 1
    assert said == (
        "bpfexit: SIGKILL ended the compiler of the BPF programs: is the machine out of memory?\n"
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "the package `bcc` on PyPI is something else"),
        ("raise ImportError", "install the distribution's package (Debian: `apt-get install pyth"),
        ("raise OSError('libbcc.so.0: no such file')", "does not load (libbcc.so.0: no such file)"),
        ("import os; os._exit(3)", "the compiler of the BPF programs ended with status 3"),
        ("print('hello'); import os; os._exit(0)", "prints is not programs"),
    ],
)
def test_a_binding_of_no_use_is_one_sentence(
    modules: Path, log: Path, text: str, says: str
) -> None:
    done = with_own_cache('exec "$@"', with_bcc(text, modules, log))
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("bpfexit: ")
    assert says in line


def test_what_clang_says_is_in_the_sentence() -> None:
    with pytest.raises(BpfexitError, match=r"do not compile: .*use of undeclared identifier 'y'"):
        compile_text("int x(void *ctx) { return y; }")


def test_what_compiles_too_long_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiling, "_TIMEOUT_S", 0.001)
    with pytest.raises(BpfexitError, match="took longer than"):
        compile_text("int x(void *ctx) { return 0; }")


@pytest.mark.parametrize("command", [("top", "-j"), ("record", "--append", "-o", "run.jsonl")])
@pytest.mark.parametrize("before", ["", '"$@" -d 0.1 >&2; '])
def test_the_process_that_counts_stays_small_and_never_maps_the_compiler(
    before: str, command: tuple[str, ...]
) -> None:
    script = f'mount -t tmpfs tmpfs /var/cache; cd /var/cache; {before}exec "$@"'
    with started(
        ["unshare", "--mount", "sh", "-ec", script, "sh", *BPFEXIT, *command],
        stderr=subprocess.PIPE,
    ) as process:
        for _ in range(2 if before else 1):
            until_counting(process)
        time.sleep(1.5)
        maps = Path(f"/proc/{process.pid}/maps").read_text()
        status = Path(f"/proc/{process.pid}/status").read_text()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=ENOUGH_S)
    libraries = {Path(line.split()[-1]).name for line in maps.splitlines() if ".so" in line}
    assert any(name.startswith("libbpf.so") for name in libraries)
    assert not [name for name in libraries if re.match(r"libbcc|libclang|libLLVM", name)]
    (peak,) = re.findall(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)
    print(f"{int(peak) >> 10} MiB at most")
    assert int(peak) < MOST_MIB << 10


WITH_BCC_S_LIBBPF = """
from contextlib import closing
from bpfexit.guests.guests import Guests
from bpfexit.host import preflight
from bpfexit.model.filter import Filter
from bpfexit.tracer import libbpf
from bpfexit.tracer.source import KernelSource
libbpf.LIBRARIES = ("libnowhere.so.1", "libbcc.so.0")
ready = preflight.ready()
with closing(KernelSource(ready.backend, ready.tracefs, Filter(), Guests())) as source:
    source.next()
print(*open("/proc/self/maps"))
"""


def test_without_libbpf_that_of_bcc_loads_the_programs() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITH_BCC_S_LIBBPF], check=True, capture_output=True, text=True
    )
    assert "libbcc.so.0" in done.stdout

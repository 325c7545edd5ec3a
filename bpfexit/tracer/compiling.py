"""Compiling in a child process, which then ends: bcc and clang map 140 MB."""

import json
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from bpfexit.compiler.bundle import Bundle
from bpfexit.compiler.document import LARGEST, DocumentError, decode
from bpfexit.errors import BpfexitError
from bpfexit.host.bounded_run import Done, bounded_run
from bpfexit.tracer import plan as programs

_CHILD = (
    "import sys; sys.path[:] = sys.argv[2:]; from bpfexit.compiler.__main__ import main; main()"
)
_TIMEOUT_S = 600.0
"""Time limit, s; an emulated CPU takes a minute."""


def bcc_version() -> str:
    """Return the version of bcc, found by compiling a text. Raises `BpfexitError`."""
    return compile_text("int nothing(void *ctx) { return 0; }").bcc


def flags_of(plan: programs.Plan) -> list[str]:
    """Return the compiler's flags. No program depends on the number of rows: the loader's maps do.

    bcc makes maps as it compiles, which would take memory for all rows. They are sorted: the
    cache knows a compilation by them, and what a plan has from sets comes in another order in
    each process.
    """
    macros = plan.macros | {"MAX_ROWS": "1"}
    definitions = sorted(f"-D{name}={value}" for name, value in macros.items())
    return ["-Wno-macro-redefined", *definitions]


def compile_text(text: str, flags: Sequence[str] = ()) -> Bundle:
    """Compile BPF C with bcc. Raises `BpfexitError`."""
    request = json.dumps({"text": text, "flags": list(flags)}).encode()
    try:
        done = bounded_run(_command(), _environment(), _TIMEOUT_S, LARGEST, data=request, cwd="/")
        if done.code == 0:
            return decode(done.output)
        why = _failure(done)
    except TimeoutError:
        why = f"the compiler of the BPF programs took longer than {_TIMEOUT_S:.0f} s"
    except (OverflowError, DocumentError):
        why = "what the compiler of the BPF programs prints is not programs"
    except OSError as error:
        why = f"cannot run {sys.executable} to compile the BPF programs: {error.strerror}"
    raise BpfexitError(why)


def _command() -> list[str]:
    """Return the command of the child: this Python with the same modules.

    Isolated from the environment and the working directory; `site` has done its part here.
    """
    options = ["-I", "-S", *(["-B"] if sys.dont_write_bytecode else [])]
    package = Path(__file__).resolve().parents[1]
    modules = [*filter(os.path.isabs, sys.path), str(package.parent)]
    return [sys.executable, *options, "-c", _CHILD, str(os.getpid()), *modules]


def _environment() -> dict[str, str]:
    """Return the child's environment: of the caller's, only the paths of libraries.

    bcc and clang obey some variables (ARCH, CPATH) that are not meant for them.
    """
    kept = {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ}
    return kept | {"BCC_KERNEL_SOURCE": str(programs.folder() / "headers")}


def _failure(done: Done) -> str:
    """Return why the child has failed, in one sentence."""
    message = " ".join((done.output + b" " + done.errors).decode(errors="replace").split())
    if done.code < 0:
        name = signal.Signals(-done.code).name
        return f"{name} ended the compiler of the BPF programs: is the machine out of memory?"
    return message or f"the compiler of the BPF programs ended with status {done.code}"

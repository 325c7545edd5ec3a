"""The child process: reads text and compiler flags from stdin, and writes a bundle to stdout.

Its only argument is the PID of its parent, with which it ends. An error is one sentence on stdout,
and the exit status 1; messages of clang are on stderr.
"""

import ctypes
import json
import os
import signal
import sys
from typing import Any

from bpfexit.compiler.binding import import_bcc
from bpfexit.compiler.document import encode
from bpfexit.compiler.handover import bundle_of
from bpfexit.errors import BpfexitError

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Compile; end without cleaning up, which takes clang a while."""
    _end_with(int(sys.argv[1]))
    output = os.dup(1)
    os.dup2(2, 1)  # what libraries print is not part of the bundle
    status, document = _answer(json.load(sys.stdin))
    with open(output, "wb") as file:
        file.write(document)
    os._exit(status)


def _end_with(parent: int) -> None:
    """Let the kernel kill this process when its parent ends, for whatever reason."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # the parent has ended before
        os._exit(1)


def _answer(request: dict[str, Any]) -> tuple[int, bytes]:
    """Return the exit status and what is written for a request."""
    try:
        return 0, _compiled(request["text"], request["flags"])
    except BpfexitError as error:
        return 1, str(error).encode(errors="replace")


def _compiled(text: str, flags: list[str]) -> bytes:
    bcc = import_bcc()
    try:
        return encode(bundle_of(bcc, bcc.BPF(text=text.encode(), cflags=flags)))
    except Exception as error:
        raise BpfexitError(f"the BPF programs do not compile: {error}") from None


if __name__ == "__main__":
    main()

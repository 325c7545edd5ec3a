"""Run a command while a tracer traces all guests.

`python -m tests.bench.beside [STILL] WORD OUTPUT TRACER ARGUMENT... -- COMMAND ARGUMENT...`
starts the tracer, waits until it has said WORD, runs the command, and ends the tracer by Ctrl-C.
What the tracer says goes to the file OUTPUT. With STILL, the tracer's process is stopped while
the command runs: what its programs cost is then seen without what reading takes.
"""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO


def run(word: str, output: Path, tracer: list[str], command: list[str], still: bool) -> int:
    """Return the command's exit status, or, when that is 0, the tracer's."""
    with (
        output.open("w") as file,
        subprocess.Popen(
            tracer,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
        ) as running,
    ):
        assert running.stdout
        if not _said(word, running.stdout, file):
            return running.wait() or 1
        rest = threading.Thread(target=file.writelines, args=(running.stdout,))
        rest.start()
        if still:
            running.send_signal(signal.SIGSTOP)
        status = subprocess.run(command, check=False).returncode
        running.send_signal(signal.SIGCONT)
        running.send_signal(signal.SIGINT)
        rest.join()
        return status or running.wait()


def _said(word: str, lines: IO[str], file: IO[str]) -> bool:
    """Copy lines up to the one that has the word; say whether there was one."""
    for line in lines:
        file.write(line)
        if word in line:
            return True
    file.flush()
    print(Path(file.name).read_text()[-500:], file=sys.stderr)
    return False


if __name__ == "__main__":
    arguments = sys.argv[1:]
    stopped = arguments[0] == "STILL"
    first, where, *both = arguments[stopped:]
    dashes = both.index("--")
    sys.exit(run(first, Path(where), both[:dashes], both[dashes + 1 :], stopped))

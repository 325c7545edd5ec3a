"""Running a program that may hang, or print without end: its time and its output have one."""

import os
import selectors
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import IO, cast

_PIECE = 1 << 16


@dataclass(frozen=True)
class Done:
    """How a program ended, and all that it printed."""

    code: int
    output: bytes
    errors: bytes


def bounded_run(
    command: Sequence[str], env: Mapping[str, str], timeout_s: float, most: int
) -> Done:
    """Run a program without input. It is killed when it is not done in time, or prints too much.

    Raises `OSError` when it cannot be run, `TimeoutError` and, for more than `most` bytes
    of either stream, `OverflowError`.
    """
    end = time.monotonic() + timeout_s
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, env=env) as process:
        cast(IO[bytes], process.stdin).close()  # a pipe, so that no /dev/null is needed
        try:
            output, errors = _read(process, end, most)
            return Done(process.wait(max(0, end - time.monotonic())), output, errors)
        except subprocess.TimeoutExpired:
            raise TimeoutError from None
        finally:
            process.kill()  # nothing, when it has ended


def _read(process: subprocess.Popen[bytes], end: float, most: int) -> tuple[bytes, bytes]:
    """Return what it prints until it closes both streams."""
    streams: list[IO[bytes]] = [each for each in (process.stdout, process.stderr) if each]
    texts = {stream.fileno(): bytearray() for stream in streams}
    with selectors.DefaultSelector() as selector:
        for stream in streams:
            selector.register(stream, selectors.EVENT_READ)
        while selector.get_map():
            ready = selector.select(max(0, end - time.monotonic()))
            if not ready or time.monotonic() > end:
                raise TimeoutError
            for key, _ in ready:
                _take(selector, key, texts[key.fd], most)
    output, errors = texts.values()
    return bytes(output), bytes(errors)


def _take(
    selector: selectors.BaseSelector, key: selectors.SelectorKey, text: bytearray, most: int
) -> None:
    piece = os.read(key.fd, _PIECE)
    if not piece:
        selector.unregister(key.fileobj)
    text += piece
    if len(text) > most:
        raise OverflowError

"""A new size of the terminal wakes whoever waits, and wakes nobody twice."""

import select
import signal

from bpfexit.run.resizes import Resizes


def test_a_resize_can_be_waited_for() -> None:
    before = signal.getsignal(signal.SIGWINCH)
    with Resizes() as resizes:
        assert not told(resizes)
        for _ in range(3):
            signal.raise_signal(signal.SIGWINCH)
        assert told(resizes)
        resizes.read()
        assert not told(resizes)
        resizes.read()
    assert signal.getsignal(signal.SIGWINCH) == before


def test_a_storm_of_them_blocks_nobody() -> None:
    with Resizes() as resizes:
        for _ in range(70_000):  # more than the pipe has room for
            signal.raise_signal(signal.SIGWINCH)
        assert told(resizes)


def told(resizes: Resizes) -> bool:
    return bool(select.select([resizes.fd], [], [], 0)[0])

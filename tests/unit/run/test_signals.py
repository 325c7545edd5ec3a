"""Waiting ends at a signal, and leaves the signals as they were."""

import os
import signal

import pytest

from bpfexit.run import signals as interrupts_module
from bpfexit.run.signals import Interrupts

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_stops_and_the_wait_is_over(number: signal.Signals) -> None:
    with Interrupts() as interrupts:
        assert not interrupts.stopped
        os.kill(os.getpid(), number)
        assert interrupts.wait(3600) == set()
        assert interrupts.stopped


def test_the_handlers_are_those_from_before() -> None:
    before = [signal.getsignal(number) for number in SIGNALS]
    with Interrupts():
        assert [signal.getsignal(number) for number in SIGNALS] != before
    assert [signal.getsignal(number) for number in SIGNALS] == before


def test_a_second_signal_acts_as_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interrupts_module, "_TWICE_S", 0.0)
    with Interrupts() as interrupts:
        os.kill(os.getpid(), signal.SIGINT)
        assert interrupts.wait(3600) == set()
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_the_same_signal_at_once_again_is_the_first() -> None:
    with Interrupts() as interrupts:
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)
        assert interrupts.stopped


def test_a_wait_gives_back_what_can_be_read() -> None:
    reader, writer = os.pipe()
    try:
        with Interrupts() as interrupts:
            assert interrupts.wait(0, reader) == set()
            assert interrupts.wait(-1, reader) == set()
            os.write(writer, b"x")
            # Longer than select() takes: a recording may say that an interval lasted so.
            for seconds in (0, 3600, 1e12):
                assert interrupts.wait(seconds, reader) == {reader}
    finally:
        os.close(reader)
        os.close(writer)


def test_a_hangup_may_reopen_and_then_stops_nothing() -> None:
    with Interrupts(hangup_reopens=True) as interrupts:
        assert not interrupts.reopens()
        os.kill(os.getpid(), signal.SIGHUP)
        os.kill(os.getpid(), signal.SIGHUP)
        assert interrupts.wait(0) == set()
        assert not interrupts.stopped
        assert [interrupts.reopens(), interrupts.reopens()] == [True, False]


def test_the_end_of_a_process_stops() -> None:
    reader, writer = os.pipe()
    with Interrupts() as interrupts:
        interrupts.stop_with(reader)
        assert interrupts.wait(0) == set()
        assert not interrupts.stopped
        os.close(writer)
        assert interrupts.wait(3600) == set()
        assert interrupts.stopped
    os.close(reader)

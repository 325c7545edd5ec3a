"""Waiting ends at a signal, and leaves the signals as they were."""

import os
import pty
import signal
import threading
import time
from math import inf

import pytest

from bpfexit.run import signals as interrupts_module
from bpfexit.run.signals import Interrupts, ending_at_once, has_terminal
from bpfexit.streams import Data
from tests.ending import descriptors_waited_for

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_stops_and_the_wait_is_over(number: signal.Signals) -> None:
    with Interrupts() as interrupts:
        assert not interrupts.stopped
        os.kill(os.getpid(), number)
        assert interrupts.wait(3600) == set()
        assert interrupts.stopped


def test_a_signal_that_does_not_interrupt_the_wait_itself_ends_it_too() -> None:
    """As one does that comes just before the wait: here, another thread gets it."""
    waits_no_more = threading.Event()
    reader, writer = os.pipe()

    def signal_then_watch() -> None:
        while not descriptors_waited_for(os.getpid()):
            time.sleep(0.01)
        signal.pthread_kill(threading.get_ident(), signal.SIGINT)
        if not waits_no_more.wait(60):
            os.write(writer, b"x")

    with Interrupts() as interrupts:
        thread = threading.Thread(target=signal_then_watch)
        thread.start()
        assert interrupts.wait(3600, reader) == set()
        assert interrupts.stopped
        waits_no_more.set()
        thread.join()
    os.close(reader)
    os.close(writer)


def test_signals_of_other_kinds_do_not_end_the_wait() -> None:
    reader, writer = os.pipe()
    before = signal.signal(signal.SIGUSR1, lambda *_: os.write(writer, b"x"))
    with Interrupts() as interrupts:
        os.kill(os.getpid(), signal.SIGUSR1)
        assert interrupts.wait(3600, reader) == {reader}
        assert interrupts.wait(0) == set()
        assert not interrupts.stopped
    signal.signal(signal.SIGUSR1, before)
    os.close(reader)
    os.close(writer)


def test_the_handlers_are_those_from_before() -> None:
    before = [signal.getsignal(number) for number in SIGNALS]
    with Interrupts():
        assert [signal.getsignal(number) for number in SIGNALS] != before
    assert [signal.getsignal(number) for number in SIGNALS] == before


@pytest.mark.parametrize("number", SIGNALS)
def test_a_second_signal_ends_the_process_and_a_third_one_acts_by_default(
    number: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(interrupts_module, "_TWICE_S", 0.0)
    before = signal.getsignal(number)
    with Interrupts() as interrupts:
        os.kill(os.getpid(), number)
        assert interrupts.wait(3600) == set()
        with pytest.raises(SystemExit) as ended:
            os.kill(os.getpid(), number)
        assert ended.value.code == 128 + number
        assert signal.getsignal(number) == before


def test_a_signal_after_the_end_of_a_process_is_the_first() -> None:
    reader, writer = os.pipe()
    os.close(writer)
    with Interrupts() as interrupts:
        interrupts.stop_with(reader)
        assert interrupts.wait(3600) == set()
        os.kill(os.getpid(), signal.SIGTERM)
        assert interrupts.stopped
    os.close(reader)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_that_is_ignored_stays_ignored(number: signal.Signals) -> None:
    before = signal.signal(number, signal.SIG_IGN)
    try:
        with Interrupts(hangup_reopens=True) as interrupts:
            os.kill(os.getpid(), number)
            with ending_at_once():
                os.kill(os.getpid(), number)
            assert not interrupts.stopped
            assert not interrupts.reopens()
        assert signal.getsignal(number) == signal.SIG_IGN
    finally:
        signal.signal(number, before)


def test_signals_end_a_start_at_once_and_are_handled_again_afterwards() -> None:
    with Interrupts():
        handled = [signal.getsignal(number) for number in SIGNALS]
        with ending_at_once():
            assert [signal.getsignal(number) for number in SIGNALS] == [signal.SIG_DFL] * 3
        assert [signal.getsignal(number) for number in SIGNALS] == handled


def test_a_write_is_given_up_after_a_signal_and_only_within_the_context() -> None:
    with Interrupts():
        assert Data.asked_to_end_at == inf
        os.kill(os.getpid(), signal.SIGTERM)
        assert Data.asked_to_end_at < inf
    assert Data.asked_to_end_at == inf


def test_a_process_knows_whether_a_terminal_controls_it() -> None:
    pid, master = pty.fork()
    if pid == 0:
        os._exit(has_terminal())
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 1
    os.close(master)
    if (pid := os.fork()) == 0:
        os.setsid()
        os._exit(has_terminal())
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


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

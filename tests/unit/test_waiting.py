"""While the testbed boots, somebody who waits for it reads so."""

import threading

from tests.testbed.waiting import waiting


def test_it_is_said_again_and_again_until_it_has_booted() -> None:
    said: list[str] = []
    thrice = threading.Event()

    def say(text: str) -> None:
        said.append(text)
        if len(said) == 3:
            thrice.set()

    with waiting("6.1.0", say, every_s=0.001) as booted:
        assert thrice.wait(60)
        booted()
        booted()
    assert said[0] == "testbed: booting Linux 6.1.0 on an emulated CPU"
    assert said[1].startswith("testbed: still booting, ")
    assert [text.startswith("testbed: booted in ") for text in said].count(True) == 1


def test_nothing_is_said_after_a_failure() -> None:
    said: list[str] = []
    try:
        with waiting("6.1.0", said.append, every_s=600):
            raise KeyError
    except KeyError:
        assert len(said) == 1

"""A test that cannot run is skipped, and fails where its running was demanded."""

import pytest

from tests.requirements import VARIABLE, demanded, lacking


def test_nothing_is_demanded_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert demanded() == frozenset()


def test_names_are_split_at_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "root, kvm,")
    assert demanded() == {"root", "kvm"}


def test_an_unknown_name_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "kvm,kmv")
    with pytest.raises(
        pytest.UsageError,
        match="names kmv: it may name bpf, debian, kvm, prometheus, root",
    ):
        demanded()


def test_what_is_lacking_skips(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "root")
    with pytest.raises(pytest.skip.Exception, match="needs kvm: no device"):
        lacking("kvm", "no device")


def test_what_is_lacking_and_demanded_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "root,kvm")
    with pytest.raises(pytest.fail.Exception, match="needs kvm: no device"):
        lacking("kvm", "no device")

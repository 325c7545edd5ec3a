"""What tracers leave behind, as the versions that are compared write it."""

import json

import pytest

from tests.bench import seen


def test_rows_of_top_count_for_their_threads() -> None:
    rows = [{"tid": 7, "count": 20}, {"tid": 8, "count": 3}]
    text = "bpfexit: counting on kvm_amd; Ctrl-C ends\n" + json.dumps({"rows": rows}) + "\n"
    assert seen.by_top(text + text, {7}) == 40


def test_perf_stat_counts_an_event() -> None:
    text = "# started on Mon\n\n12,,kvm:kvm_entry,47,100.00,,\n83969,,kvm:kvm_exit,47,100.00,,\n"
    assert seen.by_perf_stat(text, "kvm_exit") == 83969


def test_perf_stat_without_the_event_is_refused() -> None:
    with pytest.raises(ValueError, match="kvm_exit"):
        seen.by_perf_stat("12,,kvm:kvm_entry,47,100.00,,\n", "kvm_exit")


def test_samples_are_those_of_the_event() -> None:
    text = (
        "Aggregated stats:\n          SAMPLE events:      71681  (99.9%)\n"
        "kvm:kvm_entry stats:\n          SAMPLE events:          4\n"
        "kvm:kvm_exit stats:\n          SAMPLE events:         17\n"
    )
    assert seen.samples(text, "kvm_exit") == 17
    assert seen.samples(text, "kvm_pio") == 0


def test_lines_of_trace_cmd_are_those_of_event_and_thread() -> None:
    text = (
        "cpus=1\n"
        "       CPU 0/KVM-254   [000]    55.431985: kvm_fpu:              load\n"
        "       CPU 0/KVM-254   [000]    55.432063: kvm_exit:             reason EXIT_NPF\n"
        "       CPU 0/KVM-255   [000]    55.432064: kvm_exit:             reason EXIT_NPF\n"
    )
    assert seen.lines_of(text, "kvm_exit", {254}) == 1


def test_bpftrace_counts_in_its_map_of_counts() -> None:
    text = "Attaching 7 probes...\n@address[3]: 244\n@count[3, 96, 0]: 1\n@count[3, 123, 33]: 40\n"
    assert seen.by_bpftrace(text + "@count[4, 96, 0]: 5\n", {3}) == 41


def test_kvmexit_counts_in_its_table() -> None:
    text = (
        "Display kvm exit reasons and statistics for all threads... Hit Ctrl-C to end.\n\n"
        "PID      TID      KVM_EXIT_REASON                     COUNT\n"
        "216      232      0x7b                                1       \n"
        "216      248      0x72                                30      \n"
    )
    assert seen.by_kvmexit(text, {232, 248}) == 31
    assert seen.by_kvmexit(text, {232}) == 1

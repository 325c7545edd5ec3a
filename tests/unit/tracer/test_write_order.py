"""The programs write in the order that wire.h promises to readers."""

import pytest

from bpfexit.tracer.plan import folder

ORDERS = [
    ("vcpu.h", "new_vcpu(", ["vcpu->task = key;", "barrier();", "vcpu->owner = owner;"]),
    (
        "threads.c",
        "on_sched_process_exit(",
        ["slot_of_task.delete", "vcpu->task = 0;"],
    ),
    (
        "rows.h",
        "new_row(",
        ["vcpu->rows += 1;", "free_rows.pop", "row->packed_key =", "index_of_key"],
    ),
    (
        "rows.h",
        "*begin_count(",
        ["row->seq += 1;", "barrier();", "count_user_time(", "return row;"],
    ),
    ("rows.h", "end_count(", ["barrier();", "row->seq += 1;"]),
]


def body(file: str, function: str) -> str:
    text = (folder() / file).read_text()
    start = text.index("{", text.index(function))
    return text[start : text.index("\n}", start)]


@pytest.mark.parametrize(("file", "function", "order"), ORDERS)
def test_statements_stand_in_the_order_of_the_protocol(
    file: str, function: str, order: list[str]
) -> None:
    text = body(file, function)
    at = 0
    for statement in order:
        at = text.index(statement, at) + len(statement)


@pytest.mark.parametrize(
    "field", ["vcpu_id", "isa", "traced", "packed_key", "process_start", "task"]
)
def test_the_owner_is_written_after_all_other_fields(field: str) -> None:
    text = body("vcpu.h", "new_vcpu(")
    assert text.index(f"vcpu->{field} =") < text.index("vcpu->owner =")

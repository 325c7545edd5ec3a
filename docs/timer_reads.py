"""Print how many reads of the ACPI PM timer a recording has, and their time in user space."""

import sys

import bpfexit

with bpfexit.open_recording(sys.argv[1]) as recording:
    for snapshot in recording:
        rows = snapshot.rows.fields
        reads = rows[rows["address"] == 0x608]
        count, user_ms = reads["count"].sum(), reads["user_ns"].sum() / 1e6
        print(f"{snapshot.duration_s:.2f} s: {count:,} reads, {user_ms:.1f} ms in user space")
    for note in recording.notes():
        print(note, file=sys.stderr)

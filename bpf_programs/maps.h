/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * MAX_VCPUS and MAX_ROWS come from the loader. Arrays cost a lookup of about
 * 17 instructions where a hash costs 160, so a hash only maps a key to an array
 * index, off the hot path.
 */
BPF_F_TABLE("array", u32, struct vcpu, vcpus, MAX_VCPUS, BPF_F_MMAPABLE);
BPF_F_TABLE("array", u32, struct row, rows, MAX_ROWS, BPF_F_MMAPABLE);

/* The slot of the vCPU that last ran on this CPU: a guess, checked against its owner. */
BPF_PERCPU_ARRAY(last_slot, u32, 1);
BPF_HASH(slot_of_owner, u64, u32, MAX_VCPUS);

struct row_key {
	u64 what;
	u64 address;
};
BPF_HASH(index_of_key, struct row_key, u32, MAX_ROWS);

/* Unused array indices; user space fills the stacks, the lowest on top. */
BPF_STACK(free_slots, u32, MAX_VCPUS);
BPF_STACK(free_rows, u32, MAX_ROWS);

/* Exits of vCPUs that got no slot, per CPU. */
BPF_PERCPU_ARRAY(slots_full, u64, 1);

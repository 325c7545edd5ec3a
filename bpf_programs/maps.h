/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * MAX_VCPUS (a power of two) and MAX_ROWS come from the loader. Arrays cost a
 * lookup of about a dozen instructions where a hash costs 160, so a hash only maps
 * a key to an array index, off the hot path.
 */

/*
 * One entry: the address of an array's only value is a constant, which the kernel puts
 * into the program as it loads it (Linux 5.2). BCC cannot express that, so the loader
 * makes the map, and puts its descriptor into the instructions (bpfexit/tracer).
 */
struct vcpus {
	struct vcpu of_slot[MAX_VCPUS];
	u16 slot_hints[1 << SLOT_HINT_BITS]; /* slots, by task_struct */
	u8 bucket_of[NEAR_UNITS]; /* buckets of short latencies, by units of 16 ns; from user space */
	u64 generation; /* raised whenever a vCPU may have been created */
};
#define PSEUDO_MAP_VALUE 2
#define VCPUS ((struct vcpus *)bpf_pseudo_fd(PSEUDO_MAP_VALUE, 0))

/* Gives the loader the layout: BCC describes only what is in its tables. */
BPF_ARRAY(vcpu_layout, struct vcpu, 1);

BPF_F_TABLE("array", u32, struct row, rows, MAX_ROWS, BPF_F_MMAPABLE);
BPF_HASH(slot_of_task, u64, u32, MAX_VCPUS);

/*
 * The hashes are allocated whole, a seventh of all: one that grows would allocate
 * within a tracepoint, which before Linux 6.1 may deadlock.
 */
struct row_key {
	u64 packed_key;
	u64 target;
};
BPF_HASH(index_of_key, struct row_key, u32, MAX_ROWS);

/*
 * What -p, -v and -t choose; the loader sizes and fills these sets. A vCPU is looked up once, when
 * it is first seen.
 */
#ifdef TRACED_PIDS
BPF_HASH(traced_pids, u32, u8, 1);
#endif
#ifdef TRACED_VCPUS
BPF_HASH(traced_vcpus, u32, u8, 1);
#endif
#ifdef TRACED_TIDS
BPF_HASH(traced_tids, u32, u8, 1);
#endif

/* Unused array indices; user space fills the stacks, and puts back those of ended threads. */
BPF_STACK(free_slots, u32, MAX_VCPUS);
BPF_STACK(free_rows, u32, MAX_ROWS);

/*
 * 1 while all programs are attached. Before that and after it an access of an exit whose
 * kvm_exit was not seen would look like one outside any exit.
 */
BPF_ARRAY(all_attached, u32, 1);

/* vCPUs that were first seen; where it is full, user space finds them at its next reading (Linux 5.8). */
BPF_RINGBUF_OUTPUT(arrivals, 8);

/* Exits, or accesses, of vCPUs that got no slot, per CPU. */
BPF_PERCPU_ARRAY(slots_full, u64, 1);

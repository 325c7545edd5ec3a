/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * What the programs and the Python side share. Python takes the layout of these
 * structs from the compiled object, so this is their only definition; the
 * constants stand once more in bpfexit/model (sample.py, histogram.py), and a
 * test compares them.
 *
 * The arrays of struct vcpu and struct row are mapped into user space. Each
 * struct has one writer in the kernel: the vCPU thread it belongs to. User
 * space writes two fields: row.max_ns, to start a new maximum, and vcpu.traced, to stop
 * the count of a guest whose name is not wanted. It clears what ended threads have left.
 *
 * Nothing locks: the order of the writes is the protocol. On x86 the stores of one
 * CPU become visible in program order and loads are not reordered with loads (Intel
 * SDM vol. 3A 8.2, AMD APM vol. 2 7.2), so a reader that looks at the fields in the
 * opposite order sees all that was written before what it sees. The compiler keeps
 * the order at a barrier() and at each call of a helper. User space reads each field
 * by an expression of its own; a copy of whole structs has no order (numpy copies
 * one field of all structs after the other, memcpy() as it likes).
 *
 *   written, in this order                      read, in this order
 *   new_vcpu(): all fields, task, owner         owner, then task, then the rest
 *   the thread: rows, losses, ring; task = 0    task, then rows, losses, ring
 *   new_row(): vcpu.rows, then a row is taken   task, then vcpu.rows, then rows
 *   new_row(): packed_key, target, then seq     seq, then the row, then seq again
 *   a count: seq (odd), the row, seq (even)     seq, then the row, then seq again
 *   new_vcpu(): owner, then its rows and ring   rows and ring, then owner
 *   an exit: exit_ns, then guest_ns             guest_ns and exit_ns, then the
 *   an entry: exit_ns (0), the sums of the        sums, then guest_ns and exit_ns
 *     vCPU, then guest_ns (negative)              again
 *
 * So a vCPU is in the guest while guest_ns is negative, and in an exit while it is not and
 * exit_ns is set; if neither changes from one reading to the next, nor do the sums between.
 * So owner != 0 means that a vCPU is set up; and task == 0, read after that, that its
 * thread has ended and that nothing of it changes any more. Read the other way
 * round, a vCPU that starts in between looks like one that has ended.
 */

/*
 * Latency buckets: 16 ns wide below 64 ns, then four to each power of two up to
 * 2^36 ns (69 s). Bucket 4s + t, t in 4..7, covers [t << s, (t + 1) << s) units
 * of 16 ns; the last one in use takes everything from 2^36 ns on.
 */
#define HIST_UNIT_SHIFT 4
#define HIST_TOP_SHIFT 36
#define HIST_OVERFLOW 124
#define HIST_SIZE 128 /* a power of two, for the verifier */
#define NEAR_UNITS 4096 /* latencies below this many units have their bucket in a table */

/*
 * row.packed_key: reason << 32 | (slot + 1) << 14 | size << 7 | access << 5 | kind.
 * slot + 1 keeps it from ever being zero, which means "no key yet".
 */
#define KIND_MASK 0x1f
#define ACCESS_READ (1 << 5)
#define ACCESS_WRITE (2 << 5)
#define SIZE_SHIFT 7
#define SIZE_MASK 0x7f
#define SLOT_SHIFT 14
#define REASON_SHIFT 32
#define ACCESS_MASK 0x3fff /* size, access and kind: zero while none is known */

/*
 * The reason of an access outside any exit, a code of neither vendor: VMX has no such
 * flags, SVM has its codes below 0x1000, from 0x80000000 or from 0xf0000000 on, and
 * at the very end.
 */
#define NO_EXIT 0xfffe0000

/* A return of KVM_RUN to user space with an error, as the target of KIND_USERSPACE: with errno added. */
#define USERSPACE_ERROR 0x10000

/* The target of KIND_RIP for all instructions beyond the first MAX_RIPS rows of a vCPU. */
#define OTHER_RIPS 0xffffffffffffffff
#define MAX_RIPS 256

#define ISA_VMX 1
#define ISA_SVM 2

#define CACHED_ROW_BITS 6
#define CACHED_ROWS 64
#define SLOT_HINT_BITS 16

/* Exits of one vCPU that share reason, access and target. */
struct row {
	u64 packed_key;
	u64 target;     /* port, GPA or MSR index */
	u64 seq;        /* odd while being written */
	u64 no_latency; /* exits and accesses without a latency: those that are not in hist[] */
	u64 total_ns;   /* of the exits in hist[]: those seen from exit to entry */
	u64 max_ns;     /* since user space last zeroed it */
	u64 user_count;
	u64 user_ns;
	u64 wait_ns;      /* waiting for a CPU, of total_ns, user space included */
	u64 user_wait_ns; /* of that, in user space: of user_ns */
#ifdef BLOCKED
	u64 blocked_ns;      /* blocked.h: asleep, of total_ns, user space included; not in wait_ns */
	u64 user_blocked_ns; /* blocked.h: of that, in user space: of user_ns */
#endif
#ifdef KIND_HALT
	u64 poll_ns; /* halt.c: in which KVM polled for the end of halts, of total_ns */
#endif
	u32 hist[HIST_SIZE]; /* wraps at 2^32; readers take differences */
};

/* A vCPU thread: the exit it is in, and what was lost of it. What every exit touches comes first. */
struct vcpu {
	u64 task;       /* the address of its task_struct; 0 with an owner: the thread has ended */
	u64 packed_key; /* as in struct row, of the exit in progress */
	u64 target;
	u64 exit_ns;    /* when the exit in progress began; 0: in the guest */
	u64 guest_ns;   /* from entries to exits, all together; in the guest, minus the time it was entered */
	u64 user_ns;    /* of the exit in progress */
	u64 user_since; /* when it went to user space; 0: it is not there */
	u64 run_delay;  /* how long its thread had waited for a CPU at the last exit or entry */
	u64 generation; /* exit_vmcb.h: that of struct vcpus when it read `vmcb` */
	u64 vmcb;       /* exit_vmcb.h: the address of its VMCB; 0: to be read at each exit */
	u32 cache[CACHED_ROWS]; /* indices of rows it used last: hints, each row has its key */
	u64 owner;    /* tgid << 32 | tid; written last: 0 until all else is set */
	u64 unpaired; /* exits counted, but without a latency: their entry was not seen */
	u64 map_full; /* exits in no row */
	u64 extra_accesses; /* accesses beyond the first of an exit: it is counted under the first */
	u64 string_io;      /* exits by `rep ins` and the like, whose accesses are not counted */
	u64 guest_wait_ns;  /* waiting for a CPU, of guest_ns */
	u64 seen_ns;        /* when it was seen first, at an exit or entry */
	u64 end_ns;         /* the end of its thread; 0: it lives */
	u64 wait_ns;        /* waiting for a CPU, in all exits that have ended */
	u64 idle_ns;        /* in those in which the guest is idle, without waiting */
	u64 busy_user_ns;   /* in user space in the others, without waiting */
	u64 user_wait_ns;   /* of the exit in progress, of user_ns */
	u64 user_run_delay; /* as run_delay, when it went to user space */
	u64 rows;     /* rows this vCPU has taken, the one it is about to take included */
	u32 vcpu_id;
	u32 isa; /* ISA_VMX, 2 SVM as in kvm_exit; 0: this back end emits no kvm_exit */
	u32 traced;            /* chosen by the filter: its exits are counted; user space may clear it */
	u32 mmio_read_pending; /* an MMIO read is on its way through user space */
	u32 access_seen;       /* emulation.c: this instruction has made an access */
	u32 user_time_counted; /* emulation.c: and that access has been to user space */
	u64 process_start; /* of the thread's process, ns since boot: with its number, its identity */
	u64 rip;           /* slow.h: where the guest was, at the exit in progress */
	u64 slow_second;   /* slow.h: the second in which it last reported a slow exit */
	u64 slow_reported; /* slow.h: the slow exits it has reported in that second */
	u64 slow_limited;  /* slow.h: slow exits beyond the rate per second */
	u64 slow_dropped;  /* slow.h: slow exits that did not fit the buffer */
#ifdef BLOCKED
	u64 asleep_since;      /* blocked.h: when its thread went to sleep; 0: it did not */
	u64 asleep_run_delay;  /* blocked.h: as run_delay, then */
	u64 asleep_ns;         /* blocked.h: until it was on a CPU again: not yet split */
	u64 blocked_ns;        /* blocked.h: of the exit in progress */
	u64 user_blocked_ns;   /* blocked.h: of that, in user space */
	u64 user_blocked_from; /* blocked.h: blocked_ns when it went to user space */
#endif
#ifdef KIND_HALT
	u64 poll_ns;           /* halt.c: of the exit in progress */
	u64 poll_limit_before; /* halt.c: how long KVM polled at most in this halt, plus 1; 0: not told */
	u64 poll_limit;        /* halt.c: and from now on, likewise */
#endif
};

/* A vCPU that is seen for the first time: its owner, for user space to look up at once. */
struct arrival {
	u64 owner; /* as in struct vcpu */
	u64 process_start;
};

/* One slow exit, as the ring buffer carries it. */
struct slow_exit {
	u64 owner;      /* as in struct vcpu */
	u64 packed_key; /* as in struct row */
	u64 target;
	u64 rip;        /* 0 where there is no kvm_exit */
	u64 end_ns;     /* CLOCK_MONOTONIC */
	u64 ns;         /* from exit to entry; 0 where there is no kvm_exit */
	u64 user_ns;
	u64 wait_ns;         /* waiting for a CPU, of ns */
	u64 user_wait_ns;    /* of that, in user space */
	u64 blocked_ns;      /* blocked.h: asleep, of ns; 0 where it is not measured */
	u64 user_blocked_ns; /* of that, in user space */
	u64 process_start; /* as in struct vcpu */
	u32 vcpu_id;
	u32 isa;
};

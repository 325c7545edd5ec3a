/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * Which vCPU is this? State between exit and entry belongs to the vCPU thread,
 * not to the CPU: a thread often wakes from HLT, or returns from user space, on
 * another CPU.
 */

/* Of a raw tracepoint: its arguments, each widened to 64 bits. */
struct raw_args {
	u64 args[6];
};

/* Keeps clang from moving a mask away from the access it bounds for the verifier. */
#define barrier_var(var) asm volatile("" : "+r"(var))
#define barrier() asm volatile("" ::: "memory")

/*
 * What every program returns. The kernel hides an event from perf where a classic
 * program returns 0 (trace_call_bpf() in perf_trace_run_bpf_submit()). It ignores the
 * result of a raw program.
 */
#define KEEP_EVENT 1

/* Of a classic tracepoint: a field of its record. */
#define RECORD(type, offset) (*(type *)((void *)ctx + (offset)))

/*
 * An argument of a tracepoint that fires between an exit and its entry. From
 * Linux 6.19 or so on, raw programs can be preempted there, and are then skipped
 * for the next thread on that CPU; classic ones still run with preemption off.
 * The offset is that of the field in the record.
 */
#ifdef CLASSIC_ACCESSES
#define ARGUMENT(number, type, offset) RECORD(type, offset)
#else
#define ARGUMENT(number, type, offset) (*(type *)&((struct raw_args *)ctx)->args[number])
#endif

/* Reasons in which the guest is idle; the loader knows them by their names. */
#ifndef IDLE_REASON
#define IDLE_REASON(reason) 0
#endif

/* The reason is the upper half of `packed_key`; the slot, below it, stays. */
typedef u32 __attribute__((may_alias)) half;
#define REASON_OF(vcpu) (((half *)&(vcpu)->packed_key)[1])

/*
 * The current thread, from Linux 5.11 on as what the verifier knows as a task_struct: then how
 * long it has waited for a CPU since it began, in ns, is a mere load. Where that is comes
 * from the kernel's types.
 */
#ifdef RUN_DELAY_OFFSET
#define current_task() ((void *)bpf_get_current_task_btf())
#define run_delay(task) (*(volatile u64 *)((task) + RUN_DELAY_OFFSET))
/* Of two pointers, only the difference is a number to the verifier. */
#define key_of_task(task) ((u64)(task) - (u64)VCPUS)
#else
#define current_task() ((void *)bpf_get_current_task())
#define run_delay(task) 0
#define key_of_task(task) ((u64)(task))
#endif

#if defined(TRACED_PIDS) || defined(TRACED_VCPUS) || defined(TRACED_TIDS) || defined(TRACED_GUESTS)
#define IS_TRACED(vcpu) ((vcpu)->traced)
#else
#define IS_TRACED(vcpu) 1
#endif

/* Fibonacci hashing takes the upper bits of a multiple of 2^64 / the golden ratio. */
#define HASH_MULTIPLIER 0x9e3779b97f4a7c15ULL

static __always_inline struct vcpu *vcpu_in(u64 slot)
{
	barrier_var(slot);
	return &VCPUS->of_slot[slot & (MAX_VCPUS - 1)];
}

/*
 * A thread is identified by the address of its task_struct, which takes half as long to
 * get as its number. Another thread may have that address later, so the vCPU is removed
 * from it when the thread ends (threads.c).
 */
static __always_inline u64 slot_hint_index(u64 key)
{
	return (key * HASH_MULTIPLIER) >> (64 - SLOT_HINT_BITS);
}

static __always_inline u16 *slot_hint(u64 key)
{
	return &VCPUS->slot_hints[slot_hint_index(key)];
}

/* Two vCPUs that share a slot hint come here whenever they take turns. */
static __always_inline struct vcpu *vcpu_from_hash(u64 key)
{
	u32 *slot = slot_of_task.lookup(&key);
	if (!slot)
		return 0;
	*slot_hint(key) = *slot;
	return vcpu_in(*slot);
}

static __always_inline struct vcpu *vcpu_of(void *task)
{
	u64 key = key_of_task(task);
	struct vcpu *vcpu = vcpu_in(*slot_hint(key));
	if (vcpu->task == key)
		return vcpu;
	return vcpu_from_hash(key_of_task(task));
}

static __always_inline struct vcpu *current_vcpu(void)
{
	return vcpu_of(current_task());
}

/* An exit, or an access, of a vCPU that got no slot. */
static __always_inline void count_slotless(void)
{
	u32 zero = 0;
	u64 *lost = slots_full.lookup(&zero);

	if (lost)
		*lost += 1;
}

/*
 * A process is identified by its number and start, because numbers are reused. The
 * offsets come from the kernel's BTF, which lacks them with CONFIG_RANDSTRUCT. The field
 * was called real_start_time before Linux 5.5.
 */
#ifdef START_BOOTTIME_OFFSET
static __always_inline u64 process_start(u64 task)
{
	u64 leader = 0, start = 0;

	bpf_probe_read_kernel(&leader, sizeof(leader), (void *)(task + GROUP_LEADER_OFFSET));
	bpf_probe_read_kernel(&start, sizeof(start), (void *)(leader + START_BOOTTIME_OFFSET));
	return start;
}
#else
#define process_start(task) 0
#endif

/*
 * A process may end at any time, and its name with it: user space is woken to read the
 * name now. If the buffer is full, the arrival is found at the next reading of the maps.
 */
static __always_inline void emit_arrival(struct vcpu *vcpu)
{
	struct arrival arrival = {.owner = vcpu->owner, .process_start = vcpu->process_start};

	if (IS_TRACED(vcpu))
		arrivals.ringbuf_output(&arrival, sizeof(arrival), BPF_RB_FORCE_WAKEUP);
}

static __always_inline u32 is_chosen(u32 pid, u32 tid, u32 vcpu_id)
{
#ifdef TRACED_PIDS
	if (!traced_pids.lookup(&pid))
		return 0;
#endif
#ifdef TRACED_VCPUS
	if (!traced_vcpus.lookup(&vcpu_id))
		return 0;
#endif
#ifdef TRACED_TIDS
	if (!traced_tids.lookup(&tid))
		return 0;
#endif
	return 1;
}

/* User space takes a slot for one in use as soon as `owner` is set: that comes last (wire.h). */
static __always_inline struct vcpu *new_vcpu(u32 vcpu_id, u32 isa)
{
	u32 slot;
	if (free_slots.pop(&slot))
		return 0;
	struct vcpu *vcpu = vcpu_in(slot);
	u64 key = key_of_task(current_task());
	u64 owner = bpf_get_current_pid_tgid();
	vcpu->vcpu_id = vcpu_id;
	vcpu->isa = isa;
	vcpu->traced = is_chosen(owner >> 32, owner, vcpu_id);
	vcpu->packed_key = (u64)(slot + 1) << SLOT_SHIFT;
	vcpu->process_start = process_start(bpf_get_current_task());
	vcpu->seen_ns = bpf_ktime_get_ns();
	vcpu->task = key;
	barrier();
	vcpu->owner = owner;
	slot_of_task.update(&key, &slot);
#ifdef BLOCKED
	*slot_hint(key) = slot; /* blocked.c looks there alone */
#endif
	emit_arrival(vcpu);
	return vcpu;
}

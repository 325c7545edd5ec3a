/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * Time in which a vCPU's thread is blocked: asleep for a lock, a page fault or a disk. Compiled
 * in only when it is asked for (BLOCKED).
 *
 * A sleep lasts until the thread is on a CPU again, so the delay after its wake-up is in it. That
 * is waiting, and not blocked. sched_switch fires before the scheduler adds that delay to
 * run_delay: a sleep is split by the next program that runs in the thread, or as it leaves the CPU.
 */
#ifdef BLOCKED
static __always_inline void split_sleep(struct vcpu *vcpu, u64 delay)
{
	u64 ns = vcpu->asleep_ns;
	u64 wait_ns = delay - vcpu->asleep_run_delay;

	if (!ns)
		return;
	vcpu->asleep_ns = 0;
	if (ns > wait_ns)
		vcpu->blocked_ns += ns - wait_ns;
}

/* An exit begins: what was before it is not its. */
static __always_inline void begin_blocked(struct vcpu *vcpu)
{
	vcpu->asleep_ns = vcpu->blocked_ns = vcpu->user_blocked_ns = 0;
}

static __always_inline void begin_user_blocked(struct vcpu *vcpu, u64 delay)
{
	split_sleep(vcpu, delay);
	vcpu->user_blocked_from = vcpu->blocked_ns;
}

static __always_inline void end_user_blocked(struct vcpu *vcpu, u64 delay)
{
	split_sleep(vcpu, delay);
	vcpu->user_blocked_ns += vcpu->blocked_ns - vcpu->user_blocked_from;
}

static __always_inline void count_blocked(struct row *row, struct vcpu *vcpu)
{
	row->blocked_ns += vcpu->blocked_ns;
}

static __always_inline void count_user_blocked(struct row *row, struct vcpu *vcpu)
{
	row->user_blocked_ns += vcpu->user_blocked_ns;
	vcpu->user_blocked_ns = 0;
}

#define BLOCKED_NS(vcpu) ((vcpu)->blocked_ns)
#define USER_BLOCKED_NS(vcpu) ((vcpu)->user_blocked_ns)
#else
#define split_sleep(vcpu, delay)
#define begin_blocked(vcpu)
#define begin_user_blocked(vcpu, delay)
#define end_user_blocked(vcpu, delay)
#define count_blocked(row, vcpu)
#define count_user_blocked(row, vcpu)
#define BLOCKED_NS(vcpu) 0
#define USER_BLOCKED_NS(vcpu) 0
#endif

// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * kvm_exit to kvm_entry: what an exit costs the guest. Both fire on VMX and SVM.
 *
 * kvm_exit is a classic tracepoint program, because its raw arguments changed
 * (5.16 dropped exit_reason) and the vendor module computes the reason; the
 * offsets come from the event's format file. kvm_entry is raw, at a quarter of
 * the cost; it takes no argument.
 */

/* The reason is the upper half of `packed_key`; the slot, below it, stays. */
typedef u32 __attribute__((may_alias)) half;
#define REASON_OF(vcpu) (((half *)&(vcpu)->packed_key)[1])

/* Nothing is known of the next exit, but what is seen from now on. */
static __always_inline void forget_exit(struct vcpu *vcpu)
{
	vcpu->exit_ns = 0;
	vcpu->packed_key &= ~(u64)ACCESS_MASK;
	vcpu->target = 0;
	vcpu->user_since = 0;
	vcpu->user_ns = 0;
}

/*
 * A fast path may re-enter the guest without kvm_entry (VMX before 5.11), so an
 * exit can follow an exit. The first took place: it is counted. A fast path
 * cannot sleep, so the time since then was the guest's.
 */
static __always_inline void close_unpaired(struct vcpu *vcpu, u64 now)
{
	vcpu->unpaired += 1;
	vcpu->guest_ns += now - vcpu->exit_ns;
	count_without_latency(vcpu);
	forget_exit(vcpu);
}

/*
 * KVM has emulated an access without an exit, as it does with real mode on VMX where
 * kvm_intel.unrestricted_guest is off. --reason counts exits only.
 */
static __always_inline void count_without_exit(struct vcpu *vcpu)
{
#ifndef REASON_TRACED
	u32 zero = 0;
	u32 *attached = all_attached.lookup(&zero);

	if (!IS_TRACED(vcpu) || !attached || !*attached)
		return;
	REASON_OF(vcpu) = NO_EXIT;
	count_without_latency(vcpu);
#endif
}

int on_kvm_exit(void *ctx)
{
	struct vcpu *vcpu = current_vcpu();

	if (!vcpu)
		vcpu = new_vcpu(RECORD(u32, EXIT_VCPU_ID_OFFSET), RECORD(u32, EXIT_ISA_OFFSET));
	if (!vcpu) {
		count_slotless();
		return KEEP_EVENT;
	}
	if (!IS_TRACED(vcpu))
		return KEEP_EVENT;

	u64 now = bpf_ktime_get_ns();
	if (vcpu->exit_ns)
		close_unpaired(vcpu, now);
	else if (vcpu->entry_ns)
		vcpu->guest_ns += now - vcpu->entry_ns;
#ifdef REASON_TRACED
	if (!REASON_TRACED(RECORD(u32, EXIT_EXIT_REASON_OFFSET))) {
		forget_exit(vcpu);
		vcpu->entry_ns = now;
		return KEEP_EVENT;
	}
#endif
	REASON_OF(vcpu) = RECORD(u32, EXIT_EXIT_REASON_OFFSET);
	vcpu->exit_ns = now;
#ifdef SLOW_NS
	vcpu->rip = RECORD(u64, EXIT_GUEST_RIP_OFFSET);
#endif
	return KEEP_EVENT;
}

int on_kvm_entry(void *ctx)
{
	/* First of all, as kvm_exit takes its time last: little of the tracing is in the latency. */
	u64 now = bpf_ktime_get_ns();
	struct vcpu *vcpu = current_vcpu();
#ifdef ENTRY_VCPU_ID_OFFSET
	/* Linux 5.10 where it emulates real mode: see with_real_mode() in bpfexit/tracer/plan.py. */
	if (!vcpu)
		vcpu = new_vcpu(RECORD(u32, ENTRY_VCPU_ID_OFFSET), ISA_VMX);
#endif
	if (!vcpu)
		return KEEP_EVENT;

	if (vcpu->exit_ns) {
		count_exit(vcpu, now);
		emit_if_slow(vcpu, now - vcpu->exit_ns, vcpu->user_ns);
	} else if (vcpu->packed_key & ACCESS_MASK) {
		count_without_exit(vcpu);
	}
	forget_exit(vcpu);
	vcpu->entry_ns = now;
	return KEEP_EVENT;
}

/*
 * An exit is counted under its first access; more of them (movs, rep) are counted
 * as extra accesses. An access outside an exit waits for what comes next. If that is
 * kvm_exit, the access is that exit's: SVM before 6.6 serves the write of some MSRs
 * before it fires kvm_exit. If that is another access or kvm_entry (before 5.11, VMX
 * fires kvm_entry before it emulates, too), it was without an exit.
 */
static __always_inline void note_access(struct vcpu *vcpu, u64 access, u64 target)
{
	if (vcpu->packed_key & ACCESS_MASK) {
		if (vcpu->exit_ns) {
			vcpu->extra_accesses += 1;
			return;
		}
		count_without_exit(vcpu);
		vcpu->packed_key &= ~(u64)ACCESS_MASK;
	}
	vcpu->packed_key |= access;
	vcpu->target = target;
}

/* The exit of this access is counted as lost; or it began before the tracing did. */
static __always_inline void miss_access(void)
{
}

/* Whatever took the vCPU to user space, the exit in progress waits for it. */
static __always_inline int user_space_serves(struct vcpu *vcpu, u32 reason, s32 error)
{
	return vcpu->exit_ns != 0;
}

/* An unload of the FPU within an exit: back to user space, from KVM_RUN or another ioctl. */
static __always_inline int returns_to_user(struct vcpu *vcpu)
{
	return vcpu->exit_ns != 0;
}

static __always_inline void add_user_time(struct vcpu *vcpu, u64 ns)
{
	vcpu->user_ns += ns;
}

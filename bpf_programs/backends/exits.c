// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * kvm_exit to kvm_entry: what an exit costs the guest. Both fire on VMX and SVM.
 *
 * How the fields of an exit are read differs: exit_vmcb.h and exit_vmx.h read them from
 * the vCPU that a raw kvm_exit is given, exit_record.h reads them from the record of a
 * classic one, which costs twice as much. kvm_entry is raw; it takes no argument.
 */

static __always_inline void forget_access(struct vcpu *vcpu)
{
	vcpu->packed_key &= ~(u64)ACCESS_MASK;
	vcpu->target = 0;
}

/* Nothing is known about the next exit yet. */
static __always_inline void forget_exit(struct vcpu *vcpu)
{
	vcpu->exit_ns = 0;
	forget_access(vcpu);
	vcpu->user_since = 0;
}

/*
 * In the guest, guest_ns is negative: one store says both where the vCPU is and since when. An
 * entry may follow an entry, where VMX emulates real mode.
 */
static __always_inline void enter_guest(struct vcpu *vcpu, u64 now)
{
	if ((s64)vcpu->guest_ns >= 0)
		vcpu->guest_ns -= now;
}

/*
 * A fast path may re-enter the guest without kvm_entry (VMX before 5.11), so an
 * exit can follow an exit. The first took place: it is counted. A fast path
 * cannot sleep, so the time since then was the guest's.
 */
static __always_inline void close_unpaired(struct vcpu *vcpu)
{
	vcpu->unpaired += 1;
	enter_guest(vcpu, vcpu->exit_ns);
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

/*
 * The guest has run until now, except while its thread waited for a CPU. That exit_ns is set
 * before guest_ns is for user space (wire.h).
 */
static __always_inline void leave_guest(struct vcpu *vcpu, u64 now, u64 delay)
{
	if ((s64)vcpu->guest_ns < 0) {
		if (delay != vcpu->run_delay)
			vcpu->guest_wait_ns += delay - vcpu->run_delay;
		vcpu->run_delay = delay;
		vcpu->exit_ns = now;
		barrier();
		vcpu->guest_ns += now;
		return;
	}
	vcpu->run_delay = delay;
	vcpu->exit_ns = now;
	if (!vcpu->guest_ns)
		vcpu->seen_ns = now; /* it has not been in the guest: this is the first exit */
}

int on_kvm_exit(void *ctx)
{
	void *task = current_task();
	struct vcpu *vcpu = vcpu_of(task);

	if (!vcpu)
		vcpu = new_vcpu(exit_vcpu_id(ctx), exit_isa(ctx));
	if (!vcpu) {
		count_slotless();
		return KEEP_EVENT;
	}
	if (!IS_TRACED(vcpu))
		return KEEP_EVENT;

	struct exit exit = read_exit(ctx, vcpu);
	if (vcpu->exit_ns)
		close_unpaired(vcpu);
	set_key(ctx, vcpu, exit);
#ifdef SLOW_NS
	vcpu->rip = exit_rip(ctx);
#endif
	begin_blocked(vcpu);
#ifdef KIND_HALT
	vcpu->poll_ns = vcpu->poll_limit_before = 0;
#endif
	u64 now = bpf_ktime_get_ns();
	leave_guest(vcpu, now, run_delay(task));
#ifdef REASON_TRACED
	if (!REASON_TRACED(exit.reason)) {
		forget_exit(vcpu);
		enter_guest(vcpu, now);
	}
#endif
	return KEEP_EVENT;
}

int on_kvm_entry(void *ctx)
{
	/* First of all, as kvm_exit takes its time last: little of the tracing is in the latency. */
	u64 now = bpf_ktime_get_ns();
	void *task = current_task();
	struct vcpu *vcpu = vcpu_of(task);
#ifdef ENTRY_VCPU_ID_OFFSET
	/* Linux 5.10 where it emulates real mode: see with_real_mode() in bpfexit/tracer/plan.py. */
	if (!vcpu)
		vcpu = new_vcpu(RECORD(u32, ENTRY_VCPU_ID_OFFSET), ISA_VMX);
#endif
	if (!vcpu)
		return KEEP_EVENT;

	u64 delay = run_delay(task);
	u64 exit_ns = vcpu->exit_ns;
	if (exit_ns) {
		u64 wait_ns = delay - vcpu->run_delay;
		struct in_user in_user = time_in_user(vcpu);
		vcpu->exit_ns = 0;
		barrier();
		split_sleep(vcpu, delay);
		count_exit(vcpu, now - exit_ns, wait_ns);
		emit_if_slow(vcpu, now - exit_ns, wait_ns, in_user);
	} else if (vcpu->packed_key & ACCESS_MASK) {
		count_without_exit(vcpu);
	}
	forget_access(vcpu);
	vcpu->user_since = 0;
	vcpu->run_delay = delay;
	barrier();
	enter_guest(vcpu, now);
	return KEEP_EVENT;
}

#ifdef OPT_IN_KINDS
/*
 * Views that are opt-in; both are sets of bits, by the number of the kind. What such a view has
 * noted stays, though an access follows: it is the same one (kvm_apic), or was not asked for.
 * Of YIELDING_KINDS the access says more: it is what the page fault was for.
 */
static __always_inline int keeps_target(struct vcpu *vcpu)
{
	u32 noted = 1U << (vcpu->packed_key & KIND_MASK);

	if (!(noted & OPT_IN_KINDS))
		return 0;
	if (!(noted & YIELDING_KINDS))
		return 1;
	forget_access(vcpu);
	return 0;
}
#endif

/* What a view that is opt-in knows of the exit in progress, in place of what was noted before. */
static __always_inline void note_target(struct vcpu *vcpu, u64 access, u64 target)
{
	if (!vcpu->exit_ns)
		return;
	if ((vcpu->packed_key & KIND_MASK) == (access & KIND_MASK)) {
		vcpu->extra_accesses += 1;
		return;
	}
	vcpu->packed_key = (vcpu->packed_key & ~(u64)ACCESS_MASK) | access;
	vcpu->target = target;
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
#ifdef OPT_IN_KINDS
	if (keeps_target(vcpu))
		return;
#endif
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

/* An unload of the FPU within an exit: back to user space, from KVM_RUN or another ioctl. */
static __always_inline int returns_to_user(struct vcpu *vcpu)
{
	return vcpu->exit_ns != 0;
}

static __always_inline void add_user_time(struct vcpu *vcpu, u64 ns)
{
	vcpu->user_ns += ns;
}

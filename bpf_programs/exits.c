// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * kvm_exit to kvm_entry: what an exit costs the guest. Both fire on VMX and SVM.
 *
 * kvm_exit is a classic tracepoint program, because its raw arguments changed
 * (5.16 dropped exit_reason) and the vendor module computes the reason; the
 * offsets come from the event's format file. kvm_entry is raw, at a quarter of
 * the cost; it takes no argument.
 */

/* The reason is the upper half of `what`; the slot, below it, stays. */
typedef u32 __attribute__((may_alias)) half;
#define REASON_OF(vcpu) (((half *)&(vcpu)->what)[1])

/* Nothing is known of the next exit, but what is seen from now on. */
static __always_inline void forget_exit(struct vcpu *vcpu)
{
	vcpu->exit_ns = 0;
	vcpu->what &= ~(u64)ACCESS_MASK;
	vcpu->address = 0;
	vcpu->user_since = 0;
	vcpu->user_ns = 0;
}

/*
 * A fast path may re-enter the guest without kvm_entry (VMX before 5.11), so an
 * exit can follow an exit. The first took place: it is counted. A fast path
 * cannot sleep, so the time since then was the guest's.
 */
static __always_inline void end_without_entry(struct vcpu *vcpu, u64 now)
{
	vcpu->unpaired += 1;
	vcpu->guest_ns += now - vcpu->exit_ns;
	count_untimed(vcpu);
	forget_exit(vcpu);
}

int on_kvm_exit(void *ctx)
{
	struct vcpu *vcpu = current_vcpu();

	if (!vcpu)
		vcpu = new_vcpu(RECORD(u32, EXIT_VCPU_ID_OFFSET), RECORD(u32, EXIT_ISA_OFFSET));
	if (!vcpu || !IS_WATCHED(vcpu))
		return KEEP_EVENT;

	u64 now = bpf_ktime_get_ns();
	if (vcpu->exit_ns)
		end_without_entry(vcpu, now);
	else if (vcpu->entry_ns)
		vcpu->guest_ns += now - vcpu->entry_ns;
#ifdef REASON_WATCHED
	if (!REASON_WATCHED(RECORD(u32, EXIT_EXIT_REASON_OFFSET))) {
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
	if (!vcpu)
		return KEEP_EVENT;

	if (vcpu->exit_ns) {
		count_exit(vcpu, now);
		tell_if_slow(vcpu, now - vcpu->exit_ns, vcpu->user_ns);
	}
	forget_exit(vcpu);
	vcpu->entry_ns = now;
	return KEEP_EVENT;
}

/*
 * An exit is counted under its first access; more of them (movs, rep) are counted
 * as folded. SVM before 6.6 serves the write of some MSRs before it fires kvm_exit:
 * that access is the next exit's.
 */
static __always_inline void note_access(struct vcpu *vcpu, u64 access, u64 address)
{
	u64 what = vcpu->what;
	if (what & ACCESS_MASK) {
		vcpu->folded += vcpu->exit_ns != 0;
		return;
	}
	vcpu->what = what | access;
	vcpu->address = address;
}

/* Whatever took the vCPU to user space, the exit in progress waits for it. */
static __always_inline int user_space_serves(struct vcpu *vcpu, u32 reason, s32 error)
{
	return vcpu->exit_ns != 0;
}

/* An unload of the FPU within an exit: back to user space, from KVM_RUN or another ioctl. */
static __always_inline int leaves_again(struct vcpu *vcpu)
{
	return vcpu->exit_ns != 0;
}

static __always_inline void add_user_time(struct vcpu *vcpu, u64 ns)
{
	vcpu->user_ns += ns;
}

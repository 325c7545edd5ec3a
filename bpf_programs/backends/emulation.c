// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * A back end that emits neither kvm_exit nor kvm_entry (PVM). There the unit is
 * the access, and the emulated instruction identifies the access that a trip to user
 * space serves: kvm_emulate_insn(vcpu, failed) fires before everything else, once for
 * each instruction (not again when it is resumed after user space). A write fires
 * before the trip to user space, a port read only after it.
 */

#define KVM_EXIT_IO 2
#define KVM_EXIT_MMIO 6
#define KVM_EXIT_X86_RDMSR 29
#define KVM_EXIT_X86_WRMSR 30

int on_kvm_emulate_insn(struct raw_args *ctx)
{
	struct vcpu *vcpu = current_vcpu();
	if (!vcpu)
		vcpu = new_vcpu(id_of(ctx->args[0]), 0);
	if (!vcpu)
		return KEEP_EVENT;
	vcpu->access_seen = 0;
	vcpu->user_time_counted = 0;
	vcpu->user_ns = 0;
	vcpu->user_wait_ns = 0;
	vcpu->user_since = 0;
	begin_blocked(vcpu);
	vcpu->mmio_read_pending = 0;
	return KEEP_EVENT;
}

static __always_inline void note_access(struct vcpu *vcpu, u64 access, u64 target)
{
	if (!IS_TRACED(vcpu))
		return;
	vcpu->packed_key = (vcpu->packed_key & ~(u64)ACCESS_MASK) | access;
	vcpu->target = target;
	struct in_user in_user = time_in_user(vcpu);
	count_without_latency(vcpu);
	emit_if_slow(vcpu, 0, 0, in_user);
	vcpu->access_seen = 1;
	vcpu->user_time_counted = in_user.ns != 0;
}

/* There is no exit to have a target: what an event is about is counted by itself. */
static __always_inline void note_target(struct vcpu *vcpu, u64 access, u64 target)
{
	note_access(vcpu, access, target);
}

/* An access without a slot. If slots are free, it began before the tracing did. */
static __always_inline void miss_access(void)
{
	u32 slot;

	if (free_slots.peek(&slot))
		count_slotless();
}

/* A trip that serves no access, such as one for a signal, is not counted. */
static __always_inline int user_space_serves(struct vcpu *vcpu, u32 reason, s32 error)
{
	return IS_TRACED(vcpu) && error >= 0 &&
	       (reason == KVM_EXIT_IO || reason == KVM_EXIT_MMIO ||
		reason == KVM_EXIT_X86_RDMSR || reason == KVM_EXIT_X86_WRMSR);
}

/* Unknown here: an unload does not show whether the current access is being served. */
static __always_inline int returns_to_user(struct vcpu *vcpu)
{
	return 0;
}

/* The time is that of the access already counted, or of the one about to fire. */
static __always_inline void add_user_time(struct vcpu *vcpu, u64 ns)
{
	struct row *row = vcpu->access_seen ? current_row(vcpu) : 0;
	if (!row) {
		vcpu->user_ns += ns;
		return;
	}
	struct in_user in_user = time_in_user(vcpu);
	in_user.ns = ns;
	row->seq += 1;
	barrier();
	row->user_count += !vcpu->user_time_counted;
	row->user_ns += ns;
	count_user_wait(row, vcpu);
	count_user_blocked(row, vcpu);
	end_count(row);
	emit_if_slow(vcpu, 0, 0, in_user);
	vcpu->user_time_counted = 1;
}

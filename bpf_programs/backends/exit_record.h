/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * The fields of an exit from the record of the classic kvm_exit, whose offsets come from
 * the event's format file: for kernels whose types say not where else they are, and for
 * what needs the instruction pointer, which VMX reads as it fills the record.
 */

struct exit {
	u32 reason;
};

static __always_inline u32 exit_vcpu_id(void *ctx)
{
	return RECORD(u32, EXIT_VCPU_ID_OFFSET);
}

static __always_inline u32 exit_isa(void *ctx)
{
	return RECORD(u32, EXIT_ISA_OFFSET);
}

static __always_inline u64 exit_rip(void *ctx)
{
	return RECORD(u64, EXIT_GUEST_RIP_OFFSET);
}

static __always_inline struct exit read_exit(void *ctx, struct vcpu *vcpu)
{
	struct exit exit = {.reason = RECORD(u32, EXIT_EXIT_REASON_OFFSET)};
	return exit;
}

static __always_inline void set_key(void *ctx, struct vcpu *vcpu, struct exit exit)
{
	REASON_OF(vcpu) = exit.reason;
}

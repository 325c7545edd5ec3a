/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * The fields of an exit on VMX, of a raw kvm_exit(vcpu, isa) (Linux 5.16): the reason that
 * KVM keeps in struct vcpu_vmx. The offset comes from the types of kvm_intel.
 */

struct exit {
	u32 reason;
};

static __always_inline u32 exit_vcpu_id(struct raw_args *ctx)
{
	return id_of(ctx->args[0]);
}

static __always_inline u32 exit_isa(struct raw_args *ctx)
{
	return ctx->args[1];
}

static __always_inline struct exit read_exit(struct raw_args *ctx, struct vcpu *vcpu)
{
	struct exit exit;

	bpf_probe_read_kernel(&exit, sizeof(exit), (void *)(ctx->args[0] + VMX_EXIT_REASON_OFFSET));
	return exit;
}

static __always_inline void set_key(void *ctx, struct vcpu *vcpu, struct exit exit)
{
	REASON_OF(vcpu) = exit.reason;
}

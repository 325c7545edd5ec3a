// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * On VMX without unrestricted guests KVM emulates real mode, in which every vCPU
 * begins, and takes no exit: a vCPU is known from its first emulated instruction on,
 * and not only from its first exit. An access of an exit that was under emulation
 * as tracing began has a row without a reason, too. kvm_emulate_insn(vcpu, failed).
 */

int on_kvm_emulate_insn(struct raw_args *ctx)
{
	if (!current_vcpu())
		new_vcpu(id_of(ctx->args[0]), ISA_VMX);
	return KEEP_EVENT;
}

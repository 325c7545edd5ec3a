// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * The events that exit_vmcb.h depends on: new vCPUs, and nested guests.
 */

/* Creating a vCPU sets its TSC offset, with interrupts off: no run of this is skipped. */
int on_kvm_write_tsc_offset(void *ctx)
{
	__sync_fetch_and_add(&VCPUS->generation, 1);
	return KEEP_EVENT;
}

/* What was read was the VMCB of L1, and the fields are in the record. */
static __always_inline void correct_exit(void *ctx, struct vcpu *vcpu)
{
	vcpu->vmcb = 0;
	if (!vcpu->exit_ns)
		return;
	forget_access(vcpu);
	REASON_OF(vcpu) = RECORD(u32, NESTED_VMEXIT_EXIT_REASON_OFFSET);
#ifdef PIO_FROM_EXIT
	if (REASON_OF(vcpu) == SVM_EXIT_IOIO)
		note_port(vcpu, RECORD(u64, NESTED_VMEXIT_INFO1_OFFSET));
#endif
}

/*
 * The exit in progress is one of a nested guest (L2). If it is the first, it is corrected. Where
 * the number of an MSR is, is not in the record: this one exit has none.
 */
int on_kvm_nested_vmexit(void *ctx)
{
	struct vcpu *vcpu = current_vcpu();
	if (!vcpu)
		return KEEP_EVENT;
	if (vcpu->vmcb)
		correct_exit(ctx, vcpu);
#ifdef KIND_NESTED
	note_target(vcpu, KIND_NESTED, RECORD(u32, NESTED_VMEXIT_EXIT_REASON_OFFSET));
#endif
	return KEEP_EVENT;
}

/*
 * The exit in progress goes to L1, which handles it: it is not an access of this machine.
 * After another exit of L2, which KVM has handled, it may be an interrupt that goes to L1.
 */
int on_kvm_nested_vmexit_inject(void *ctx)
{
	struct vcpu *vcpu = current_vcpu();
	if (!vcpu || !vcpu->exit_ns)
		return KEEP_EVENT;
	u32 code = RECORD(u32, NESTED_VMEXIT_INJECT_EXIT_CODE_OFFSET);
	if (code != REASON_OF(vcpu))
		return KEEP_EVENT;
#ifndef KIND_NESTED
	forget_access(vcpu);
#endif
#ifdef PIO_FROM_EXIT
	u64 info = RECORD(u64, NESTED_VMEXIT_INJECT_EXIT_INFO1_OFFSET);
	if (code == SVM_EXIT_IOIO && info & IOIO_STRING)
		vcpu->string_io -= 1;
#endif
	return KEEP_EVENT;
}

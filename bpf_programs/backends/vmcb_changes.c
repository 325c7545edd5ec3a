// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * What exit_vmcb.h has to know of: vCPUs that are created, and guests in the guest.
 */

/* Creating a vCPU sets its TSC offset, with interrupts off: no run of this is skipped. */
int on_kvm_write_tsc_offset(void *ctx)
{
	__sync_fetch_and_add(&VCPUS->generation, 1);
	return KEEP_EVENT;
}

/*
 * The exit in progress is one of a nested guest (L2). If it is the first, what was read was the
 * VMCB of L1, and the fields are in the record. Where the number of an MSR is, is not: this
 * one exit has none.
 */
int on_kvm_nested_vmexit(void *ctx)
{
	struct vcpu *vcpu = current_vcpu();
	if (!vcpu || !vcpu->vmcb)
		return KEEP_EVENT;
	vcpu->vmcb = 0;
	if (!vcpu->exit_ns)
		return KEEP_EVENT;
	forget_access(vcpu);
	REASON_OF(vcpu) = RECORD(u32, NESTED_VMEXIT_EXIT_REASON_OFFSET);
#ifdef PIO_FROM_EXIT
	if (REASON_OF(vcpu) == SVM_EXIT_IOIO)
		note_port(vcpu, RECORD(u64, NESTED_VMEXIT_INFO1_OFFSET));
#endif
	return KEEP_EVENT;
}

/*
 * The exit in progress goes to L1, which is to deal with it: it is no access of this machine.
 * After another exit of L2, which KVM has dealt with, it may be an interrupt that goes to L1.
 */
int on_kvm_nested_vmexit_inject(void *ctx)
{
	struct vcpu *vcpu = current_vcpu();
	if (!vcpu || !vcpu->exit_ns)
		return KEEP_EVENT;
	u32 code = RECORD(u32, NESTED_VMEXIT_INJECT_EXIT_CODE_OFFSET);
	if (code != REASON_OF(vcpu))
		return KEEP_EVENT;
	forget_access(vcpu);
#ifdef PIO_FROM_EXIT
	u64 info = RECORD(u64, NESTED_VMEXIT_INJECT_EXIT_INFO1_OFFSET);
	if (code == SVM_EXIT_IOIO && info & IOIO_STRING)
		vcpu->string_io -= 1;
#endif
	return KEEP_EVENT;
}

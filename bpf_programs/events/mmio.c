// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* kvm_mmio(type, len, gpa, val), kvm_fast_mmio(gpa): the same from Linux 5.10 to 7.2. */

#define MMIO_READ_UNSATISFIED 0
#define MMIO_READ 1
#define MMIO_WRITE 2

/* A read that user space answers comes as unsatisfied-read, then read: one access. */
int on_kvm_mmio(void *ctx)
{
	u32 type = ARGUMENT(0, u32, MMIO_TYPE_OFFSET);
	struct vcpu *vcpu = vcpu_of_access(type != MMIO_READ_UNSATISFIED);
	if (!vcpu)
		return KEEP_EVENT;
	u32 size = ARGUMENT(1, u32, MMIO_LEN_OFFSET);
	u32 answered = vcpu->mmio_read_pending && type == MMIO_READ;
	vcpu->mmio_read_pending = type == MMIO_READ_UNSATISFIED;
	if (!answered)
		note_access(vcpu, access_of(KIND_MMIO, type == MMIO_WRITE, size),
			    ARGUMENT(2, u64, MMIO_GPA_OFFSET));
	return KEEP_EVENT;
}

/* An ioeventfd hit on VMX: its GPA, and no kvm_mmio. The length is not known. */
int on_kvm_fast_mmio(void *ctx)
{
	struct vcpu *vcpu = vcpu_of_access(1);
	if (vcpu)
#ifdef KIND_KICK
		note_target(vcpu, KIND_KICK | ACCESS_WRITE, ARGUMENT(0, u64, FAST_MMIO_GPA_OFFSET));
#else
		note_access(vcpu, access_of(KIND_MMIO, 1, 0),
			    ARGUMENT(0, u64, FAST_MMIO_GPA_OFFSET));
#endif
	return KEEP_EVENT;
}

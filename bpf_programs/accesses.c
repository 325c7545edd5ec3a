// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * What the exit in progress is after: a port, a guest physical address, an MSR.
 * note_access() counts an access, miss_access() that of a thread without a slot; both
 * are in exits.c or emulation.c.
 *
 * The arguments have not changed from 5.10 to 7.2:
 * kvm_pio(rw, port, size, count, val), kvm_mmio(type, len, gpa, val),
 * kvm_msr(write, ecx, data, exception), kvm_fast_mmio(gpa).
 */

#define MMIO_READ_UNSATISFIED 0
#define MMIO_READ 1
#define MMIO_WRITE 2

static __always_inline u64 access_of(u64 kind, u64 write, u64 size)
{
	return kind | (write ? ACCESS_WRITE : ACCESS_READ) | (size & SIZE_MASK) << SIZE_SHIFT;
}

/* `whole`: the event does not announce another one of the same access. */
static __always_inline struct vcpu *vcpu_of_access(u32 whole)
{
	struct vcpu *vcpu = current_vcpu();

	if (!vcpu && whole)
		miss_access();
	return vcpu;
}

int on_kvm_pio(void *ctx)
{
	struct vcpu *vcpu = vcpu_of_access(1);
	if (!vcpu)
		return KEEP_EVENT;
	u32 write = ARGUMENT(0, u32, PIO_RW_OFFSET);
	u32 size = ARGUMENT(2, u32, PIO_SIZE_OFFSET);
	note_access(vcpu, access_of(KIND_PIO, write, size), ARGUMENT(1, u16, PIO_PORT_OFFSET));
	return KEEP_EVENT;
}

/* A read that user space answers comes as unsatisfied-read, then read: one access. */
int on_kvm_mmio(void *ctx)
{
	u32 type = ARGUMENT(0, u32, MMIO_TYPE_OFFSET);
	struct vcpu *vcpu = vcpu_of_access(type != MMIO_READ_UNSATISFIED);
	if (!vcpu)
		return KEEP_EVENT;
	u32 size = ARGUMENT(1, u32, MMIO_LEN_OFFSET);
	u32 answered = vcpu->unsatisfied && type == MMIO_READ;
	vcpu->unsatisfied = type == MMIO_READ_UNSATISFIED;
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
		note_access(vcpu, access_of(KIND_MMIO, 1, 0),
			    ARGUMENT(0, u64, FAST_MMIO_GPA_OFFSET));
	return KEEP_EVENT;
}

int on_kvm_msr(void *ctx)
{
	struct vcpu *vcpu = vcpu_of_access(1);
	if (!vcpu)
		return KEEP_EVENT;
	u32 write = ARGUMENT(0, u32, MSR_WRITE_OFFSET);
	note_access(vcpu, access_of(KIND_MSR, write, 0), ARGUMENT(1, u32, MSR_ECX_OFFSET));
	return KEEP_EVENT;
}

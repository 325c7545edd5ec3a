// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* kvm_pio(rw, port, size, count, val): the same from Linux 5.10 to 7.2. */

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

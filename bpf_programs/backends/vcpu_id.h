/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* The number of a vCPU. VCPU_ID_OFFSET, of vcpu_id in struct kvm_vcpu, comes from the kernel's BTF. */

static __always_inline u32 id_of(u64 kvm_vcpu)
{
	u32 id = 0;
	bpf_probe_read_kernel(&id, sizeof(id), (void *)(kvm_vcpu + VCPU_ID_OFFSET));
	return id;
}

/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * The fields of an exit on SVM, of a raw kvm_exit(vcpu, isa) (Linux 5.16), from the VMCB.
 * An exit for I/O has its port, direction and size there, and one for an MSR its direction;
 * the number of the MSR is in the guest's RCX. The offsets come from the types of kvm_amd.
 *
 * The address of the VMCB is read once. It changes when the vCPU runs a nested guest (L2):
 * from the first exit of L2 on, it is read at each exit. The thread may also continue with
 * another vCPU, in the memory of a freed one: creating a vCPU sets its TSC offset, which
 * raises the generation, and each vCPU then reads its address again.
 */

#define SVM_EXIT_IOIO 0x7b
#define SVM_EXIT_MSR 0x7c
#define IOIO_READ 1
#define IOIO_STRING 4
#define IOIO_SIZES 0x70
#define IOIO_SIZE_SHIFT 4
#define IOIO_PORT_SHIFT 16

struct exit {
	u64 reason; /* of 64 bits since Linux 6.19 or so; the upper half is set in errors alone */
	u64 info;   /* exit_info_1 */
};

static __always_inline u32 exit_vcpu_id(struct raw_args *ctx)
{
	return id_of(ctx->args[0]);
}

static __always_inline u32 exit_isa(struct raw_args *ctx)
{
	return ctx->args[1];
}

static __always_inline u64 read_u64(u64 address)
{
	u64 value = 0;

	bpf_probe_read_kernel(&value, sizeof(value), (void *)address);
	return value;
}

/* An exit that --reason drops because of a stale reason could not be restored. */
#ifdef REASON_TRACED
#define KEPT_VMCB(vcpu) 0
#else
#define KEPT_VMCB(vcpu) ((vcpu)->vmcb)
#endif

static __always_inline void find_vmcb(struct raw_args *ctx, struct vcpu *vcpu)
{
	u64 vmcb = read_u64(ctx->args[0] + SVM_VMCB_OFFSET);

	vcpu->generation = VCPUS->generation;
	vcpu->vmcb = vmcb == read_u64(ctx->args[0] + SVM_VMCB01_OFFSET) ? vmcb : 0;
}

static __always_inline struct exit read_exit(struct raw_args *ctx, struct vcpu *vcpu)
{
	struct exit exit;

	if (vcpu->generation != VCPUS->generation)
		find_vmcb(ctx, vcpu);
	u64 vmcb = KEPT_VMCB(vcpu);
	if (!vmcb)
		vmcb = read_u64(ctx->args[0] + SVM_VMCB_OFFSET);
	bpf_probe_read_kernel(&exit, sizeof(exit), (void *)(vmcb + EXIT_CODE_OFFSET));
	return exit;
}

static __always_inline void note_port(struct vcpu *vcpu, u64 info)
{
	vcpu->packed_key |= KIND_PIO | (info & IOIO_READ ? ACCESS_READ : ACCESS_WRITE) |
			    (info & IOIO_SIZES) << (SIZE_SHIFT - IOIO_SIZE_SHIFT);
	vcpu->target = (u32)info >> IOIO_PORT_SHIFT;
	if (info & IOIO_STRING)
		vcpu->string_io += 1;
}

static __always_inline void note_msr(struct raw_args *ctx, struct vcpu *vcpu, u64 info)
{
	vcpu->packed_key |= KIND_MSR | (info ? ACCESS_WRITE : ACCESS_READ);
	vcpu->target = (u32)read_u64(ctx->args[0] + RCX_OFFSET);
}

/* If the events of accesses have programs, those set the access. */
static __always_inline void set_key(struct raw_args *ctx, struct vcpu *vcpu, struct exit exit)
{
	REASON_OF(vcpu) = (u32)exit.reason;
#ifdef PIO_FROM_EXIT
	if ((u32)exit.reason == SVM_EXIT_IOIO)
		note_port(vcpu, exit.info);
#endif
#ifdef MSR_FROM_EXIT
	if ((u32)exit.reason == SVM_EXIT_MSR)
		note_msr(ctx, vcpu, exit.info);
#endif
}

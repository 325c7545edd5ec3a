/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * The fields of an exit from the record of the classic kvm_exit, whose offsets come from
 * the event's format file: for kernels whose types do not give the fields elsewhere, and
 * for programs that need the instruction pointer, which VMX reads as it fills the record.
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

/*
 * What views find in the record of an exit, in place of what was noted before it. For VMX,
 * intr_info is the event that exits; for SVM, it is one that was being delivered meanwhile.
 */
#ifdef FROM_RECORD
#define EVENT_VALID (1U << 31)
#define EVENT_VECTOR 0xff
#define EVENT_TYPE_AND_VECTOR 0x7ff

#define VMX_EXCEPTION_NMI 0
#define VMX_EXTERNAL_INTERRUPT 1
#define VMX_DR_ACCESS 29
#define VMX_DR_READ (1 << 4)
#define SVM_READ_DR0 0x20
#define SVM_WRITE_DR0 0x30
#define SVM_EXCEPTION 0x40
#define SVM_LAST_EXCEPTION 0x5f
#define DR_NUMBER 0xf
#define VMX_DR_NUMBER 7

static __always_inline void set_target(struct vcpu *vcpu, u64 access, u64 target)
{
	vcpu->packed_key = (vcpu->packed_key & ~(u64)ACCESS_MASK) | access;
	vcpu->target = target;
}

static __always_inline void note_vmx_event(void *ctx, struct vcpu *vcpu, u32 reason)
{
#ifdef EXIT_INTR_INFO_OFFSET
	u32 event = RECORD(u32, EXIT_INTR_INFO_OFFSET);

	if (!(event & EVENT_VALID))
		return;
#ifdef KIND_EXCEPTION
	if (reason == VMX_EXCEPTION_NMI)
		set_target(vcpu, KIND_EXCEPTION, event & EVENT_VECTOR);
#endif
#ifdef KIND_INTERRUPT
	if (reason == VMX_EXTERNAL_INTERRUPT)
		set_target(vcpu, KIND_INTERRUPT, event & EVENT_VECTOR);
#endif
#endif
}

static __always_inline void note_svm_event(void *ctx, struct vcpu *vcpu, u32 reason)
{
#ifdef KIND_EXCEPTION
	if (reason >= SVM_EXCEPTION && reason <= SVM_LAST_EXCEPTION)
		set_target(vcpu, KIND_EXCEPTION, reason - SVM_EXCEPTION);
#endif
#ifdef KIND_DELIVERED
	u32 event = RECORD(u32, EXIT_INTR_INFO_OFFSET);

	if (event & EVENT_VALID)
		set_target(vcpu, KIND_DELIVERED, event & EVENT_TYPE_AND_VECTOR);
#endif
}

static __always_inline void note_dr(void *ctx, struct vcpu *vcpu, u32 reason)
{
#ifdef KIND_DR
	u64 info = RECORD(u64, EXIT_INFO1_OFFSET);

	if (vcpu->isa == ISA_SVM && reason >= SVM_READ_DR0 && reason < SVM_EXCEPTION)
		set_target(vcpu, KIND_DR | (reason < SVM_WRITE_DR0 ? ACCESS_READ : ACCESS_WRITE),
			   reason & DR_NUMBER);
	if (vcpu->isa == ISA_VMX && reason == VMX_DR_ACCESS)
		set_target(vcpu, KIND_DR | (info & VMX_DR_READ ? ACCESS_READ : ACCESS_WRITE),
			   info & VMX_DR_NUMBER);
#endif
}

static __always_inline void note_from_record(void *ctx, struct vcpu *vcpu, u32 reason)
{
	if (vcpu->isa == ISA_VMX)
		note_vmx_event(ctx, vcpu, (u16)reason);
	if (vcpu->isa == ISA_SVM)
		note_svm_event(ctx, vcpu, reason);
	note_dr(ctx, vcpu, (u16)reason);
#ifdef KIND_RIP
	set_target(vcpu, KIND_RIP, exit_rip(ctx));
#endif
}
#else
#define note_from_record(ctx, vcpu, reason)
#endif

static __always_inline void set_key(void *ctx, struct vcpu *vcpu, struct exit exit)
{
	REASON_OF(vcpu) = exit.reason;
	note_from_record(ctx, vcpu, exit.reason);
}

/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * Which vCPU is this? State between exit and entry belongs to the vCPU thread,
 * not to the CPU: a thread often wakes from HLT, or returns from user space, on
 * another CPU.
 */

/* Of a raw tracepoint: its arguments, each widened to 64 bits. */
struct raw_args {
	u64 args[6];
};

/* Of a classic tracepoint: a field of its record. */
#define RECORD(type, offset) (*(type *)((void *)ctx + (offset)))

/*
 * An argument of a tracepoint that fires between an exit and its entry. From
 * Linux 6.19 or so on, raw programs can be preempted there, and are then skipped
 * for the next thread on that CPU; classic ones still run with preemption off.
 * The offset is that of the field in the record.
 */
#ifdef CLASSIC_ACCESSES
#define ARGUMENT(number, type, offset) RECORD(type, offset)
#else
#define ARGUMENT(number, type, offset) ((type)((struct raw_args *)ctx)->args[number])
#endif

#ifndef WATCHED
#define WATCHED(pid, vcpu_id) 1
#endif

static __always_inline struct vcpu *vcpu_after_migration(u64 owner, u32 *last)
{
	u32 *slot = slot_of_owner.lookup(&owner);
	if (!slot)
		return 0;
	*last = *slot;
	return vcpus.lookup(slot);
}

static __always_inline struct vcpu *current_vcpu(u64 owner)
{
	int zero = 0;
	u32 *last = last_slot.lookup(&zero);
	if (!last)
		return 0;
	struct vcpu *vcpu = vcpus.lookup(last);
	if (vcpu && vcpu->owner == owner)
		return vcpu;
	return vcpu_after_migration(owner, last);
}

static __always_inline struct vcpu *new_vcpu(u64 owner, u32 vcpu_id, u32 isa)
{
	int zero = 0;
	u32 slot;
	struct vcpu *vcpu = 0;
	if (free_slots.pop(&slot) == 0)
		vcpu = vcpus.lookup(&slot);
	if (!vcpu) {
		u64 *lost = slots_full.lookup(&zero);
		if (lost)
			*lost += 1;
		return 0;
	}
	vcpu->vcpu_id = vcpu_id;
	vcpu->isa = isa;
	vcpu->watched = WATCHED((u32)(owner >> 32), vcpu_id);
	vcpu->what = (u64)(slot + 1) << SLOT_SHIFT;
	vcpu->owner = owner;
	slot_of_owner.update(&owner, &slot);
	return vcpu;
}

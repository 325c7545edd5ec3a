/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * What the programs in events/ have in common: each notes what the exit in progress
 * accesses. The kinds, KIND_PIO and the like, are macros of the loader, which has them
 * from bpfexit/events. note_access() counts an access, miss_access() that of a thread
 * without a slot; both are in backends/.
 */

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

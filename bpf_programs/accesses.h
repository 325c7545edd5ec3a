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

/*
 * A field of a classic event's record, which has another size on some kernels. Views that are
 * opt-in read their events this way: arguments differ between kernels where fields do not.
 */
#define FIELD(name)                                                                                \
	(name##_SIZE == 8   ? RECORD(u64, name##_OFFSET)                                           \
	 : name##_SIZE == 4 ? RECORD(u32, name##_OFFSET)                                           \
	 : name##_SIZE == 2 ? RECORD(u16, name##_OFFSET)                                           \
			    : RECORD(u8, name##_OFFSET))

/* `is_last`: no further event of the same access follows. */
static __always_inline struct vcpu *vcpu_of_access(u32 is_last)
{
	struct vcpu *vcpu = current_vcpu();

	if (!vcpu && is_last)
		miss_access();
	return vcpu;
}

/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Where an exit is counted: one row, found once, written once. */

#define barrier() asm volatile("" ::: "memory")
/* Keeps clang from moving a mask away from the access it bounds for the verifier. */
#define opaque(x) asm volatile("" : "+r"(x))

static __always_inline struct row *row_from_hash(struct vcpu *vcpu, struct cached_row *cached,
						 u64 what, u64 address)
{
	struct row_key key = {.what = what, .address = address};
	u32 *known = index_of_key.lookup(&key);
	u32 index;
	struct row *row;

	if (known) {
		index = *known;
		row = rows.lookup(&index);
	} else {
		if (free_rows.pop(&index))
			return 0;
		row = rows.lookup(&index);
		if (!row)
			return 0;
		row->what = what;
		row->address = address;
		index_of_key.update(&key, &index);
		vcpu->rows += 1;
	}
	cached->what = what;
	cached->address = address;
	cached->index = index;
	return row;
}

/* The row of what the vCPU is at, through the few it used last; null when the map is full. */
static __always_inline struct row *current_row(struct vcpu *vcpu)
{
	u64 what = vcpu->what;
	u64 address = vcpu->address;
	u64 mixed = (what >> REASON_SHIFT) + what + address;
	u64 i = mixed ^ (mixed >> 4);

	opaque(i);
	i &= CACHED_ROWS - 1;
	struct cached_row *cached = &vcpu->cache[i];
	if (cached->what == what && cached->address == address) {
		u32 index = cached->index;
		return rows.lookup(&index);
	}
	return row_from_hash(vcpu, cached, what, address);
}

/* opaque() makes clang branch; its selects would take twice the instructions. */
#define NARROW(bits)                                                                               \
	if (top >= 4ULL << (bits)) {                                                               \
		top >>= (bits);                                                                    \
		shift += (bits);                                                                   \
		opaque(shift);                                                                     \
	}

static __always_inline void count_in_histogram(struct row *row, u64 ns)
{
	u64 i = HIST_OVERFLOW;

	if (!(ns >> HIST_TOP_SHIFT)) {
		u64 top = ns >> HIST_UNIT_SHIFT; /* its three highest bits, in the end */
		u64 shift = 0;
		NARROW(16)
		NARROW(8)
		NARROW(4)
		NARROW(2)
		NARROW(1)
		i = (shift << 2) + top;
	}
	opaque(i);
	row->hist[i & (HIST_SIZE - 1)] += 1;
}

static __always_inline void count_user_time(struct row *row, u64 ns)
{
	row->user_count += 1;
	row->user_ns += ns;
}

/* What every count has in common; null when the map is full. Ends with end_count(). */
static __always_inline struct row *begin_count(struct vcpu *vcpu)
{
	struct row *row = current_row(vcpu);
	if (!row) {
		vcpu->map_full += 1;
		return 0;
	}
	row->seq += 1;
	barrier();
	row->count += 1;
	if (vcpu->user_ns)
		count_user_time(row, vcpu->user_ns);
	return row;
}

static __always_inline void end_count(struct row *row)
{
	barrier();
	row->seq += 1;
}

/* Counts the exit in progress, seen from exit to entry. */
static __always_inline void count_exit(struct vcpu *vcpu, u64 ns)
{
	struct row *row = begin_count(vcpu);
	if (!row)
		return;
	row->total_ns += ns;
	if (ns > row->max_ns)
		row->max_ns = ns;
	count_in_histogram(row, ns);
	end_count(row);
}

/* Counts an exit, or an access, whose latency is not known. */
static __always_inline void count_untimed(struct vcpu *vcpu)
{
	struct row *row = begin_count(vcpu);
	if (row)
		end_count(row);
}

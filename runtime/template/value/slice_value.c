/* Slices of sequences: v[start:stop:step].
 *
 * Start and stop are clamped to the sequence, so that start + k * step is a valid index for all k < count, and
 * nothing after that looks at bounds. Texts count in characters, not bytes: a slice with a step goes over a table of
 * offsets.
 */
#include "runtime/template/value/compare.h"
#include "runtime/template/value/container_value.h"

static int64_t slice_index(struct jinja *j, struct jinja_value v, int64_t absent)
{
	return v.kind == JINJA_NONE || v.kind == JINJA_ABSENT ? absent : mote_jinja_need_int(j, v, "slice index");
}

static int64_t clamp(int64_t i, int64_t length, int64_t low, int64_t high)
{
	if (i < 0)
		i = i < -length ? low : i + length;
	return i < low ? low : i > high ? high : i;
}

static struct jinja_value slice_text(struct jinja *j, const struct jinja_text *t, int64_t start, int64_t step,
				     int64_t count)
{
	bool ascii = mote_jinja_chars(j, t) == t->bytes;
	struct jinja_builder b;
	size_t from, to, *offsets, n = 0;

	if (step == 1 || count == 0) {
		from = mote_jinja_byte_of(j, t, (size_t)start);
		to = count ? mote_jinja_byte_of(j, t, (size_t)(start + count)) : from;
		return mote_jinja_string(mote_jinja_slice(j, t, from, to));
	}
	offsets = mote_jinja_alloc_array(j, t->chars + 1, sizeof *offsets);
	for (size_t i = 0; i < t->bytes; i++)
		if (ascii || ((unsigned char)t->at[i] & 0xc0) != 0x80)
			offsets[n++] = i;
	offsets[n] = t->bytes;
	mote_jinja_begin(&b, j);
	mote_jinja_charge(j, (uint64_t)count);
	for (int64_t k = 0; k < count; k++)
		mote_jinja_put_slice(&b, t, offsets[start + k * step], offsets[start + k * step + 1]);
	return mote_jinja_string(mote_jinja_as_markup(j, mote_jinja_end(&b), t->markup));
}

/* The elements are some of the range's own; stop, which lies behind them, and the step may be beyond 64 bits. */
static struct jinja_value slice_range(struct jinja *j, struct jinja_value v, int64_t start, int64_t stop, int64_t step,
				      int64_t count)
{
	struct jinja_range *range = mote_jinja_alloc(j, sizeof *range);
	const struct jinja_range *of = v.range;
	bool overflow;

	range->count = count;
	overflow = __builtin_mul_overflow(start, of->step, &range->start);
	overflow |= __builtin_add_overflow(range->start, of->start, &range->start);
	overflow |= __builtin_mul_overflow(stop, of->step, &range->stop);
	overflow |= __builtin_add_overflow(range->stop, of->start, &range->stop);
	overflow |= __builtin_mul_overflow(of->step, step, &range->step);
	if (overflow)
		mote_jinja_fail(j, MOTE_ERROR_LIMIT, "integer beyond 64 bits");
	v.range = range;
	return v;
}

struct jinja_value mote_jinja_slice_value(struct jinja *j, struct jinja_value v, struct jinja_value a,
					  struct jinja_value b, struct jinja_value c)
{
	int64_t length, start, stop, step, count = 0;
	struct jinja_list *l;

	if (v.kind == JINJA_UNDEFINED)
		mote_jinja_fail_undefined(j, v);
	if (v.kind != JINJA_STRING && v.kind != JINJA_LIST && v.kind != JINJA_TUPLE && v.kind != JINJA_RANGE)
		mote_jinja_fail(j, MOTE_ERROR_CORRUPT, "'%s' object cannot be sliced", mote_jinja_type(v));
	length = mote_jinja_length(j, v);
	step = slice_index(j, c, 1);
	if (!step)
		mote_jinja_fail(j, MOTE_ERROR_CORRUPT, "slice step cannot be zero");
	if (step > 0) {
		start = clamp(slice_index(j, a, 0), length, 0, length);
		stop = clamp(slice_index(j, b, length), length, 0, length);
		if (start < stop)
			count = (stop - start - 1) / step + 1;
	} else {
		start = a.kind == JINJA_NONE || a.kind == JINJA_ABSENT ? length - 1 :
			clamp(slice_index(j, a, 0), length, -1, length - 1);
		stop = b.kind == JINJA_NONE || b.kind == JINJA_ABSENT ? -1 :
			clamp(slice_index(j, b, 0), length, -1, length - 1);
		if (step < -length - 1)
			step = -length - 1;
		if (stop < start)
			count = (start - stop - 1) / -step + 1;
	}
	if (v.kind == JINJA_STRING)
		return slice_text(j, v.text, start, step, count);
	if (v.kind == JINJA_RANGE)
		return slice_range(j, v, start, stop, step, count);
	l = mote_jinja_new_list(j, (size_t)count);
	for (int64_t k = 0; k < count; k++)
		mote_jinja_append(j, l, v.list->items[start + k * step]);
	v.list = l;
	return v;
}

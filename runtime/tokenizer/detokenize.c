/* Decoding: tokens run through the decoder's steps one at a time, so that streaming and decoding at once are the
 * same code and give the same text.
 *
 * Steps before decode_joins see each token by itself, those behind it see a text that goes on and on. One step may
 * hold bytes back: byte fallback (a run of byte tokens is text only as a whole) or the byte alphabet (UTF-8 that
 * is not complete yet). Opening the section made sure that no token can outgrow a piece.
 */
#include <stdlib.h>
#include <string.h>

#include "runtime/tokenizer/tokenizer_internal.h"

static const char replacement[] = "\xef\xbf\xbd";

static void pass(struct mote_detokenizer *d, uint32_t index, const char *text, size_t bytes);

static void show(struct mote_detokenizer *d, const char *text, size_t bytes)
{
	memcpy(d->piece + d->n_piece, text, bytes);
	d->n_piece += bytes;
}

/* The value of "<0x41>", or -1. */
static int byte_of(const char *text, size_t bytes)
{
	int value = 0;

	if (bytes != 6 || memcmp(text, "<0x", 3) || text[5] != '>')
		return -1;
	for (int i = 3; i < 5; i++) {
		char c = text[i];
		int digit = c >= '0' && c <= '9'		     ? c - '0'
			    : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10
								     : -1;

		if (digit < 0)
			return -1;
		value = value * 16 + digit;
	}
	return value;
}

static void end_run(struct mote_detokenizer *d, uint32_t index)
{
	uint32_t count = d->n_run;

	d->n_run = 0;
	if (mote_utf8_valid(d->run, count) == count) {
		pass(d, index + 1, d->run, count);
		return;
	}
	for (uint32_t i = 0; i < count; i++)
		pass(d, index + 1, replacement, 3);
}

static void byte_fallback(struct mote_detokenizer *d, uint32_t index, const char *text, size_t bytes)
{
	int byte = byte_of(text, bytes);
	char raw = (char)byte;

	if (d->raw) {
		pass(d, index + 1, byte < 0 ? text : &raw, byte < 0 ? bytes : 1);
		return;
	}
	if (d->n_run && (byte < 0 || d->n_run == sizeof d->run))
		end_run(d, index);
	if (byte < 0)
		pass(d, index + 1, text, bytes);
	else
		d->run[d->n_run++] = (char)byte;
}

/* Bytes to text: complete characters go on, ill-formed parts become U+FFFD, what may still be completed waits. */
static void bytes_to_text(struct mote_detokenizer *d, uint32_t index, const char *text, size_t bytes)
{
	char raw[MOTE_TOKENIZER_MAX_TOKEN_BYTES + 4], out[3 * sizeof raw];
	size_t count = d->n_run, n_out = 0, at = 0, length, bad;
	bool mapped = true;

	memcpy(raw, d->run, count);
	for (size_t i = 0; i < bytes && mapped; i += length) {
		int byte = mote_tokenizer_char_to_byte(mote_utf8_decode(text + i, &length));

		mapped = byte >= 0;
		raw[count++] = (char)byte;
	}
	if (!mapped) { /* a token of other characters stands for itself */
		memcpy(raw + d->n_run, text, bytes);
		count = d->n_run + bytes;
	}
	d->n_run = 0;
	if (d->raw) {
		pass(d, index + 1, raw, count);
		return;
	}
	while (at < count) {
		length = mote_utf8_step(raw + at, count - at, &bad);
		if (!length && !bad) {
			d->n_run = (uint32_t)(count - at);
			memcpy(d->run, raw + at, d->n_run);
			break;
		}
		memcpy(out + n_out, length ? raw + at : replacement, length ? length : 3);
		n_out += length ? length : 3;
		at += length ? length : bad;
	}
	pass(d, index + 1, out, n_out);
}

/* Of each token: up to "number" such characters from its start and "mode" from its end. */
static void strip_token(struct mote_detokenizer *d, const struct step *step, uint32_t index, const char *text,
			size_t bytes)
{
	for (uint32_t i = 0; i < step->number && bytes >= step->a_bytes && !memcmp(text, step->a, step->a_bytes);
	     i++) {
		text += step->a_bytes;
		bytes -= step->a_bytes;
	}
	for (uint32_t i = 0; i < step->mode && bytes >= step->a_bytes; i++) {
		if (memcmp(text + bytes - step->a_bytes, step->a, step->a_bytes))
			break;
		bytes -= step->a_bytes;
	}
	pass(d, index + 1, text, bytes);
}

/* Of the whole text, at its beginning. */
static void strip_text(struct mote_detokenizer *d, const struct step *step, uint32_t index, const char *text,
		       size_t bytes)
{
	while (!d->began && bytes) {
		if (d->stripped == step->number || bytes < step->a_bytes || memcmp(text, step->a, step->a_bytes)) {
			d->began = true;
			break;
		}
		text += step->a_bytes;
		bytes -= step->a_bytes;
		d->stripped++;
	}
	pass(d, index + 1, text, bytes);
}

static void replace(struct mote_detokenizer *d, const struct step *step, uint32_t index, const char *text,
		    size_t bytes)
{
	char out[MOTE_DETOKENIZER_PIECE];
	const char *with = step->b, *end = text + bytes, *found;
	size_t with_bytes = step->b_bytes, n_out = 0;

	if (step->kind == DECODE_METASPACE) {
		with = " ";
		with_bytes = !d->started && step->mode != SCHEME_NEVER ? 0 : 1;
	}
	while (text < end) {
		found = memmem(text, (size_t)(end - text), step->a, step->a_bytes);
		bytes = (size_t)((found ? found : end) - text);
		memcpy(out + n_out, text, bytes);
		n_out += bytes;
		text += bytes;
		if (found) {
			memcpy(out + n_out, with, with_bytes);
			n_out += with_bytes;
			text += step->a_bytes;
		}
	}
	pass(d, index + 1, out, n_out);
}

static void pass(struct mote_detokenizer *d, uint32_t index, const char *text, size_t bytes)
{
	const struct mote_tokenizer *t = d->t;
	const struct step *step = &t->step[index];

	if (index == t->stage_begin[STAGE_DECODE + 1]) {
		show(d, text, bytes);
		return;
	}
	switch (step->kind) {
	case DECODE_BYTES:
		bytes_to_text(d, index, text, bytes);
		break;
	case DECODE_BYTE_FALLBACK:
		byte_fallback(d, index, text, bytes);
		break;
	case DECODE_STRIP:
		if (index > t->decode_joins)
			strip_text(d, step, index, text, bytes);
		else
			strip_token(d, step, index, text, bytes);
		break;
	case DECODE_REPLACE:
	case DECODE_METASPACE:
		replace(d, step, index, text, bytes);
		break;
	case DECODE_SPACES:
		if (d->started)
			pass(d, index + 1, " ", 1);
		pass(d, index + 1, text, bytes);
		break;
	default: /* DECODE_FUSE: pieces are joined anyway */
		pass(d, index + 1, text, bytes);
		break;
	}
}

static const char *piece_of(struct mote_detokenizer *d, size_t *bytes)
{
	d->piece[d->n_piece] = 0;
	*bytes = d->n_piece;
	return d->piece;
}

const char *mote_detokenizer_next(struct mote_detokenizer *d, const struct mote_tokenizer *t, int32_t id,
				  bool skip_special, size_t *bytes)
{
	const char *text = mote_tokenizer_token(t, id, bytes);

	d->began |= !d->t && d->started;
	d->t = t;
	d->n_piece = 0;
	if (text && *bytes && !(skip_special && mote_tokenizer_is_special(t, id))) {
		pass(d, t->stage_begin[STAGE_DECODE], text, *bytes);
		d->started = true;
	}
	return piece_of(d, bytes);
}

const char *mote_detokenizer_flush(struct mote_detokenizer *d, size_t *bytes)
{
	d->n_piece = 0;
	if (d->n_run) {
		if (d->t->step[d->t->decode_holds].kind == DECODE_BYTE_FALLBACK) {
			end_run(d, d->t->decode_holds);
		} else { /* an incomplete character is one ill-formed part */
			d->n_run = 0;
			pass(d, d->t->decode_holds + 1, replacement, 3);
		}
	}
	return piece_of(d, bytes);
}

const char *mote_detokenizer_bytes(struct mote_detokenizer *d, const struct mote_tokenizer *t, int32_t id,
				   size_t *bytes)
{
	d->started = d->began = d->raw = true;
	return mote_detokenizer_next(d, t, id, true, bytes);
}

bool mote_tokenizer_has_token_bytes(const struct mote_tokenizer *t)
{
	for (uint32_t i = t->stage_begin[STAGE_DECODE]; i < t->stage_begin[STAGE_DECODE + 1]; i++)
		if (t->step[i].kind == DECODE_SPACES)
			return false;
	return true;
}

static enum mote_status decode(const struct mote_tokenizer *t, const int32_t *ids, size_t count, bool skip_special,
			       bool within, char **text, size_t *bytes, struct mote_error *error)
{
	struct mote_detokenizer *d = calloc(1, sizeof *d);
	size_t room = 4 * count + 64, used = 0, piece_bytes;
	char *out = malloc(room), *grown;
	const char *piece;

	*text = NULL;
	*bytes = 0;
	if (d)
		d->started = within;
	for (size_t i = 0; d && out && i <= count; i++) {
		piece = i < count ? mote_detokenizer_next(d, t, ids[i], skip_special, &piece_bytes)
				  : mote_detokenizer_flush(d, &piece_bytes);
		if (room - used <= piece_bytes) {
			room = room * 2 + piece_bytes;
			grown = realloc(out, room);
			if (!grown)
				free(out);
			out = grown;
		}
		if (out)
			memcpy(out + used, piece, piece_bytes);
		used += piece_bytes;
	}
	if (!d || !out) {
		free(d);
		free(out);
		return mote_error_set(error, MOTE_ERROR_MEMORY, "decoding %zu tokens: out of memory", count);
	}
	free(d);
	out[used] = 0;
	*text = out;
	*bytes = used;
	return MOTE_OK;
}

enum mote_status mote_tokenizer_decode(const struct mote_tokenizer *t, const int32_t *ids, size_t count,
				       bool skip_special, char **text, size_t *bytes, struct mote_error *error)
{
	return decode(t, ids, count, skip_special, false, text, bytes, error);
}

enum mote_status mote_tokenizer_decode_within(const struct mote_tokenizer *t, const int32_t *ids, size_t count,
					      char **text, size_t *bytes, struct mote_error *error)
{
	return decode(t, ids, count, false, true, text, bytes, error);
}

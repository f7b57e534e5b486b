/* Unigram: the segmentation of a word with the highest sum of scores, by the Viterbi algorithm over the trie of
 * pieces. A character that is no piece of its own may be unknown, at a penalty below the lowest score. Neighbouring
 * unknown characters become one unknown token, or their bytes' tokens.
 */
#include <stdlib.h>
#include <string.h>

#include "runtime/tokenizer/encode_state.h"

struct best { /* the best way to have read the text up to a position */
	double score;
	uint32_t begin; /* of its last piece; NONE: not reached */
	uint32_t id;
};

struct unigram_scratch {
	struct best *best;
	size_t room;
};

void mote_tokenizer_unigram_free(struct unigram_scratch *s)
{
	if (!s)
		return;
	free(s->best);
	free(s);
}

static bool reserve(struct run *r, size_t positions)
{
	struct unigram_scratch *s = r->unigram;
	size_t room = positions < 1024 ? 1024 : positions;

	if (!s)
		s = r->unigram = calloc(1, sizeof *s);
	if (s && s->room < positions) {
		free(s->best);
		s->best = malloc(room * sizeof *s->best);
		s->room = s->best ? room : 0;
	}
	if (s && s->room >= positions)
		return true;
	mote_tokenizer_run_fail(r, MOTE_ERROR_MEMORY, "a long word");
	return false;
}

static void offer(struct best *to, double score, size_t begin, uint32_t id)
{
	if (to->begin != MOTE_TOKENIZER_NONE && score <= to->score)
		return;
	to->score = score;
	to->begin = (uint32_t)begin;
	to->id = id;
}

/* Offers every piece that begins at a position reached. */
static void extend(const struct run *r, struct best *best, const char *text, size_t bytes, size_t at)
{
	const struct mote_tokenizer *t = r->t;
	size_t length = mote_utf8_length(text[at]);
	double here = best[at].score;
	bool single = false;
	uint32_t node = 0, id;

	for (size_t end = at; end < bytes;) {
		double score;

		node = mote_tokenizer_trie_child(t, node, (uint8_t)text[end++]);
		if (!node)
			break;
		id = load32(t->part[PART_TRIE_ID] + 4 * (size_t)node);
		if (id == MOTE_TOKENIZER_NONE || (r->plain && id_is_special(t, id)))
			continue;
		memcpy(&score, t->part[PART_SCORE] + 8 * (size_t)id, 8);
		offer(&best[end], here + score, at, id);
		single |= end - at == length;
	}
	if (!single)
		offer(&best[at + length], here + t->unk_score, at, t->unk);
}

static void emit_unknown(struct run *r, const char *text, size_t bytes)
{
	const struct mote_tokenizer *t = r->t;
	int32_t id = mote_tokenizer_trie_find(t, text, bytes);
	bool have_bytes = t->model_flags & MODEL_BYTE_FALLBACK;

	for (size_t i = 0; i < bytes && have_bytes; i++)
		have_bytes = t->byte_id[(uint8_t)text[i]] >= 0;
	if (id >= 0 && !(r->plain && id_is_special(t, (uint32_t)id)))
		run_emit(r, (uint32_t)id);
	else if (have_bytes)
		for (size_t i = 0; i < bytes; i++)
			run_emit(r, (uint32_t)t->byte_id[(uint8_t)text[i]]);
	else
		run_emit(r, t->unk);
}

void mote_tokenizer_unigram(struct run *r, const char *text, size_t bytes)
{
	struct best *best;
	size_t end = bytes, begin;

	if (bytes >= MOTE_TOKENIZER_NONE) {
		mote_tokenizer_run_fail(r, MOTE_ERROR_LIMIT, "a word of 4 GiB");
		return;
	}
	if (!reserve(r, bytes + 1))
		return;
	best = r->unigram->best;
	for (size_t i = 0; i <= bytes; i++)
		best[i].begin = MOTE_TOKENIZER_NONE;
	best[0].score = 0;
	for (size_t at = 0; at < bytes; at += mote_utf8_length(text[at]))
		extend(r, best, text, bytes, at);

	/* Backwards along the best way, turning the links around: afterwards a piece's begin says where it ends. */
	while (end > 0) {
		uint32_t id = best[end].id;

		begin = best[end].begin;
		while (id == r->t->unk && begin > 0 && best[begin].id == id)
			begin = best[begin].begin;
		best[begin].score = (double)end;
		if (id == r->t->unk)
			best[end].id = MOTE_TOKENIZER_NONE; /* neither unknown twice nor a piece */
		end = begin;
	}
	for (begin = 0; begin < bytes; begin = end) {
		end = (size_t)best[begin].score;
		if (best[end].id == MOTE_TOKENIZER_NONE)
			emit_unknown(r, text + begin, end - begin);
		else
			run_emit(r, best[end].id);
	}
}

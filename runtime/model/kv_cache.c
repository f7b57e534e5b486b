/* See kv_cache.h. A page that is not shared has one reference; a page in the list `returned`, or never taken,
 * has none. */
#include "runtime/model/kv_cache.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/model/memory.h"

enum mote_type mote_kv_matrix_type(enum mote_kv_type type)
{
	return type == MOTE_KV_F32 ? MOTE_F32 : type == MOTE_KV_Q8 ? MOTE_Q8 : MOTE_F16;
}

uint32_t mote_kv_cache_pages(const struct mote_kv_cache *c, uint32_t positions)
{
	return positions / c->page_positions + (positions % c->page_positions != 0);
}

/* The tables are cleared memory, so that those of thousands of sequences cost nothing until they are used. */
static bool take_tables(struct mote_kv_cache *c)
{
	c->page = calloc((size_t)c->sequences * c->chunks, sizeof *c->page);
	c->held = calloc(c->sequences, sizeof *c->held);
	c->filled = calloc(c->sequences, sizeof *c->filled);
	c->references = calloc(c->pages, sizeof *c->references);
	c->returned = calloc(c->pages, sizeof *c->returned);
	return c->page && c->held && c->filled && c->references && c->returned;
}

enum mote_status mote_kv_cache_open(struct mote_kv_cache *c, const struct mote_config *config,
				    const struct mote_session_options *options, struct mote_error *error)
{
	enum mote_type k = mote_kv_matrix_type(options->kv_k), v = mote_kv_matrix_type(options->kv_v);
	uint64_t most;

	*c = (struct mote_kv_cache){.layers = config->layers, .kv_heads = config->kv_heads,
				    .sequences = options->sequences, .page_positions = MOTE_SEGMENT_POSITIONS};
	if (options->context_tokens < c->page_positions)
		c->page_positions = options->context_tokens;
	c->chunks = mote_kv_cache_pages(c, options->context_tokens);
	most = (uint64_t)c->sequences * c->chunks;
	c->pages = options->pages && options->pages < most ? options->pages : (uint32_t)most;
	c->head_bytes = mote_kv_bytes(k, v, config->head_dim, c->page_positions);
	if (most > UINT32_MAX ||
	    __builtin_mul_overflow((size_t)c->layers * c->kv_heads, c->head_bytes, &c->page_bytes) ||
	    __builtin_mul_overflow(c->page_bytes, (size_t)c->pages, &c->bytes))
		return mote_error_set(error, MOTE_ERROR_MEMORY, "a KV cache for %u sequences of %u tokens overflows",
				      c->sequences, options->context_tokens);
	c->memory = mote_memory_map(c->bytes);
	if (!c->memory || !take_tables(c)) {
		(void)mote_error_set(error, MOTE_ERROR_MEMORY, "no memory for a KV cache of %zu bytes", c->bytes);
		mote_kv_cache_close(c);
		return MOTE_ERROR_MEMORY;
	}
	mote_kv_init(&c->first, k, v, config->head_dim, c->page_positions, c->memory);
	return MOTE_OK;
}

void mote_kv_cache_close(struct mote_kv_cache *c)
{
	mote_memory_unmap(c->memory, c->bytes);
	free(c->page);
	free(c->held);
	free(c->filled);
	free(c->references);
	free(c->returned);
	*c = (struct mote_kv_cache){0};
}

static uint32_t page_of(const struct mote_kv_cache *c, uint32_t sequence, uint32_t chunk)
{
	return c->page[(size_t)sequence * c->chunks + chunk];
}

static uint8_t *page_memory(const struct mote_kv_cache *c, uint32_t page)
{
	return (uint8_t *)c->memory + page * c->page_bytes;
}

uint8_t *mote_kv_cache_page(const struct mote_kv_cache *c, uint32_t sequence, uint32_t chunk)
{
	return page_memory(c, page_of(c, sequence, chunk));
}

struct mote_kv mote_kv_cache_head(const struct mote_kv_cache *c, uint32_t sequence, uint32_t chunk, uint32_t layer,
				  uint32_t kv_head)
{
	struct mote_kv kv = c->first;

	mote_kv_move(&kv,
		     page_of(c, sequence, chunk) * c->page_bytes + (layer * c->kv_heads + kv_head) * c->head_bytes);
	return kv;
}

uint32_t mote_kv_cache_free(const struct mote_kv_cache *c)
{
	return c->n_returned + c->pages - c->fresh;
}

/* Those given back first: their memory is there already. */
static bool take_page(struct mote_kv_cache *c, uint32_t *page)
{
	if (c->n_returned)
		*page = c->returned[--c->n_returned];
	else if (c->fresh < c->pages)
		*page = c->fresh++;
	else
		return false;
	c->references[*page] = 1;
	return true;
}

static void let_go(struct mote_kv_cache *c, uint32_t page)
{
	if (--c->references[page] == 0)
		c->returned[c->n_returned++] = page;
}

bool mote_kv_cache_reserve(struct mote_kv_cache *c, uint32_t sequence, uint32_t begin, uint32_t end)
{
	uint32_t pages = mote_kv_cache_pages(c, end), page;

	for (uint32_t chunk = begin / c->page_positions; chunk < pages; chunk++) {
		uint32_t *place = &c->page[(size_t)sequence * c->chunks + chunk];
		bool held = chunk < c->held[sequence];

		if (held && c->references[*place] == 1)
			continue;
		if (!take_page(c, &page))
			return false;
		if (held) {
			memcpy(page_memory(c, page), page_memory(c, *place), c->page_bytes);
			let_go(c, *place);
		} else {
			c->held[sequence] = chunk + 1;
		}
		*place = page;
	}
	return true;
}

void mote_kv_cache_keep(struct mote_kv_cache *c, uint32_t sequence, uint32_t positions)
{
	uint32_t pages = mote_kv_cache_pages(c, positions);

	while (c->held[sequence] > pages)
		let_go(c, page_of(c, sequence, --c->held[sequence]));
	c->filled[sequence] = positions;
}

void mote_kv_cache_share(struct mote_kv_cache *c, uint32_t from, uint32_t to, uint32_t positions)
{
	uint32_t pages = mote_kv_cache_pages(c, positions);

	mote_kv_cache_keep(c, to, 0);
	for (uint32_t chunk = 0; chunk < pages; chunk++) {
		uint32_t page = page_of(c, from, chunk);

		c->page[(size_t)to * c->chunks + chunk] = page;
		c->references[page]++;
	}
	c->held[to] = pages;
	c->filled[to] = positions;
}

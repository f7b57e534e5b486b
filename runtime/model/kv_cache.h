/* The KV cache of a session's sequences, in pages. Internal to runtime/model; what an application calls is in
 * session.h.
 *
 * A page holds the keys and values of page_positions consecutive positions (a segment of attention), of all layers and
 * KV heads. A sequence is a list of pages; several may hold the same page, which is copied when one of them is about to
 * write into it. Pages are taken from the system when they are first written, and given back to a list, not to the
 * system.
 *
 * Nothing here is locked: tables change between forward passes only, on the thread that owns the session.
 */
#ifndef MOTE_RUNTIME_KV_CACHE_H
#define MOTE_RUNTIME_KV_CACHE_H

#include <stdbool.h>

#include "runtime/kernels/kernels.h"
#include "runtime/model/session.h"

struct mote_kv_cache {
	uint32_t layers, kv_heads;
	uint32_t sequences;          /* that may hold pages */
	uint32_t page_positions;     /* positions a page */
	uint32_t chunks;             /* most pages a sequence */
	uint32_t pages;              /* that exist */
	void *memory;                /* [pages][layers][kv_heads] heads of page_positions positions */
	size_t bytes, page_bytes, head_bytes;
	struct mote_kv first;        /* the first head of the first page */

	uint32_t *page;              /* [sequences][chunks] where a sequence's pages lie */
	uint32_t *held;              /* [sequences] pages that it has */
	uint32_t *filled;            /* [sequences] positions in them */
	uint32_t *references;        /* [pages] sequences that hold this page */
	uint32_t *returned;          /* [pages] those given back, the last one first to be taken again */
	uint32_t n_returned, fresh;  /* fresh: pages from here on were never taken */
};

/* Pages for a model of this config under these options, which have no zeros left but `pages`.
 * MOTE_ERROR_MEMORY. On error there is nothing to close, but closing does no harm. */
enum mote_status mote_kv_cache_open(struct mote_kv_cache *c, const struct mote_config *config,
				    const struct mote_session_options *options, struct mote_error *error);
void mote_kv_cache_close(struct mote_kv_cache *c);

/* The keys and values of one head of one page of a sequence. chunk < held. */
struct mote_kv mote_kv_cache_head(const struct mote_kv_cache *c, uint32_t sequence, uint32_t chunk, uint32_t layer,
				  uint32_t kv_head);
/* A sequence's page as memory. */
uint8_t *mote_kv_cache_page(const struct mote_kv_cache *c, uint32_t sequence, uint32_t chunk);

/* Pages for this many positions. */
uint32_t mote_kv_cache_pages(const struct mote_kv_cache *c, uint32_t positions);
uint32_t mote_kv_cache_free(const struct mote_kv_cache *c);

/* Sees to it that the sequence alone holds the pages of positions [begin, end), begin <= filled: takes what is missing
 * and copies what is shared. false: no page is free; undo with mote_kv_cache_keep() of what was filled. */
bool mote_kv_cache_reserve(struct mote_kv_cache *c, uint32_t sequence, uint32_t begin, uint32_t end);
/* The sequence now holds this many positions, no more than its pages have; pages beyond are given back. */
void mote_kv_cache_keep(struct mote_kv_cache *c, uint32_t sequence, uint32_t positions);
/* `to` gives up what it holds and shares the first positions of another sequence. */
void mote_kv_cache_share(struct mote_kv_cache *c, uint32_t from, uint32_t to, uint32_t positions);

/* f32, f16 or q8, for the kernels. */
enum mote_type mote_kv_matrix_type(enum mote_kv_type type);

#endif

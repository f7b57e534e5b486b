/* See session_state.h. */
#include "runtime/model/session_state.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "format/container.h"
#include "format/json.h"
#include "runtime/model/workspace.h"

static const char magic[8] = "MOTEKEYS";

enum { VERSION = 1 };

/* All fields are of 8 bytes, so that there is no padding; as it lies on a little-endian machine, which is all that mote
 * runs on. */
struct header {
	char magic[8];
	uint64_t version;
	struct mote_hash128 model;
	uint64_t kv_k, kv_v;
	uint64_t page_positions, positions, pages, page_bytes;
	uint64_t check; /* XXH3-64 of all before it */
};

static enum mote_status no_memory(struct mote_error *error)
{
	return mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory for a sequence's state");
}

static struct mote_hash128 digest(const XXH3_state_t *hash)
{
	XXH128_hash_t h = XXH3_128bits_digest(hash);

	return (struct mote_hash128){h.low64, h.high64};
}

/* Whether keys depend on the session's context: RoPE of these kinds does. */
static bool follows_context(const struct mote_model *m)
{
	return m->config.rope_kind == MOTE_ROPE_DYNAMIC || m->config.rope_kind == MOTE_ROPE_LONGROPE;
}

/* What keys and values depend on: the tensors, the metadata's "model", and frequencies that follow the context. A model
 * without a container (one built in memory) is known by none of them. */
static enum mote_status identify(const struct mote_session *s, XXH3_state_t *hash, struct mote_hash128 *out,
				 struct mote_error *error)
{
	const struct mote_model *m = s->model;
	struct mote_hash128 tensors;
	size_t bytes;
	char *config;

	*out = (struct mote_hash128){0, 0};
	if (!m->container)
		return MOTE_OK;
	tensors = mote_container_tensors_hash(m->container);
	config = mote_json_print(mote_json_get(mote_container_metadata(m->container), "model"), &bytes);
	if (!config)
		return no_memory(error);
	XXH3_128bits_reset(hash);
	XXH3_128bits_update(hash, &tensors, sizeof tensors);
	XXH3_128bits_update(hash, config, bytes);
	if (follows_context(m))
		XXH3_128bits_update(hash, s->frequency, s->rotations * s->half * sizeof *s->frequency);
	free(config);
	*out = digest(hash);
	return MOTE_OK;
}

static enum mote_status fill_header(const struct mote_session *s, uint32_t positions, XXH3_state_t *hash,
				    struct header *h, struct mote_error *error)
{
	*h = (struct header){.version = VERSION, .kv_k = s->options.kv_k, .kv_v = s->options.kv_v,
			     .page_positions = s->cache.page_positions, .positions = positions,
			     .pages = mote_kv_cache_pages(&s->cache, positions), .page_bytes = s->cache.page_bytes};
	memcpy(h->magic, magic, sizeof magic);
	h->check = 0;
	return identify(s, hash, &h->model, error);
}

static enum mote_status check_sequence(const struct mote_session *s, uint32_t sequence, struct mote_error *error)
{
	if (sequence >= s->options.sequences)
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "sequence %u; the session has %u", sequence,
				      s->options.sequences);
	return MOTE_OK;
}

uint64_t mote_session_state_bytes(const struct mote_session *s, uint32_t sequence)
{
	if (sequence >= s->options.sequences)
		return 0;
	return sizeof(struct header) + (uint64_t)s->cache.held[sequence] * s->cache.page_bytes +
	       sizeof(struct mote_hash128);
}

/* ---- saving ---- */

/* The page's copy, its positions from `filled` on made those of zeros: what was there before is nobody's business, and
 * would make two states of the same text differ. */
static void clear_rest(const struct mote_session *s, uint8_t *page, uint32_t filled, const float *zeros)
{
	const struct mote_kv_cache *c = &s->cache;

	for (uint32_t head = 0; head < c->layers * c->kv_heads; head++) {
		struct mote_kv kv;

		mote_kv_init(&kv, mote_kv_matrix_type(s->options.kv_k), mote_kv_matrix_type(s->options.kv_v),
			     s->model->config.head_dim, c->page_positions, page + head * c->head_bytes);
		for (uint32_t position = filled; position < c->page_positions; position++)
			s->kernels.kv_store(&kv, position, zeros, zeros);
	}
}

static enum mote_status copy_page(const struct mote_session *s, uint32_t sequence, uint32_t chunk, uint8_t **copy,
				  struct mote_error *error)
{
	const struct mote_kv_cache *c = &s->cache;
	float *zeros = calloc(s->model->config.head_dim, sizeof *zeros);

	*copy = aligned_alloc(64, c->page_bytes);
	if (zeros && *copy) {
		memcpy(*copy, mote_kv_cache_page(c, sequence, chunk), c->page_bytes);
		clear_rest(s, *copy, c->filled[sequence] - chunk * c->page_positions, zeros);
	}
	free(zeros);
	return zeros && *copy ? MOTE_OK : no_memory(error);
}

struct saver {
	enum mote_status (*write)(void *user, const void *data, size_t bytes, struct mote_error *error);
	void *user;
	XXH3_state_t *hash;
};

static enum mote_status put(struct saver *o, const void *data, size_t bytes, struct mote_error *error)
{
	XXH3_128bits_update(o->hash, data, bytes);
	return o->write(o->user, data, bytes, error);
}

static enum mote_status save_pages(const struct mote_session *s, uint32_t sequence, struct saver *o,
				   struct mote_error *error)
{
	const struct mote_kv_cache *c = &s->cache;
	uint32_t whole = c->filled[sequence] / c->page_positions;
	enum mote_status status = MOTE_OK;
	uint8_t *last = NULL;

	for (uint32_t chunk = 0; chunk < whole && status == MOTE_OK; chunk++)
		status = put(o, mote_kv_cache_page(c, sequence, chunk), c->page_bytes, error);
	if (status == MOTE_OK && c->held[sequence] > whole) {
		status = copy_page(s, sequence, whole, &last, error);
		if (status == MOTE_OK)
			status = put(o, last, c->page_bytes, error);
		free(last);
	}
	return status;
}

enum mote_status mote_session_state_save(const struct mote_session *s, uint32_t sequence,
					 enum mote_status (*write)(void *user, const void *data, size_t bytes,
								   struct mote_error *error),
					 void *user, struct mote_error *error)
{
	struct saver o = {.write = write, .user = user};
	struct mote_hash128 hash;
	struct header h;
	enum mote_status status = check_sequence(s, sequence, error);

	if (status)
		return status;
	o.hash = XXH3_createState();
	if (!o.hash)
		return no_memory(error);
	if ((status = fill_header(s, s->cache.filled[sequence], o.hash, &h, error)))
		goto end;
	h.check = XXH3_64bits(&h, offsetof(struct header, check));
	XXH3_128bits_reset(o.hash);
	if ((status = put(&o, &h, sizeof h, error)) || (status = save_pages(s, sequence, &o, error)))
		goto end;
	hash = digest(o.hash);
	status = write(user, &hash, sizeof hash, error);
end:
	XXH3_freeState(o.hash);
	return status;
}

/* ---- loading ---- */

static enum mote_status differs(const char *what, uint64_t found, uint64_t expected, struct mote_error *error)
{
	return mote_error_set(error, MOTE_ERROR_UNSUPPORTED, "a sequence's state with %s %llu; this session's is %llu",
			      what, (unsigned long long)found, (unsigned long long)expected);
}

static enum mote_status other_type(const char *what, uint64_t found, uint64_t expected, struct mote_error *error)
{
	return mote_error_set(error, MOTE_ERROR_UNSUPPORTED, "a sequence's state with %s of type %s; this session's "
			      "are %s", what,
			      found > MOTE_KV_F32 ? "unknown" : mote_type_name(mote_kv_matrix_type((uint32_t)found)),
			      mote_type_name(mote_kv_matrix_type((uint32_t)expected)));
}

/* expected: as this session would write it, with no positions. */
static enum mote_status check_header(const struct mote_session *s, const struct header *h,
				     const struct header *expected, struct mote_error *error)
{
	if (memcmp(h->magic, magic, sizeof magic) != 0)
		return mote_error_set(error, MOTE_ERROR_CORRUPT, "not a sequence's state: it does not begin with %.8s",
				      magic);
	if (h->check != XXH3_64bits(h, offsetof(struct header, check)))
		return mote_error_set(error, MOTE_ERROR_CORRUPT, "a sequence's state: its header's checksum is wrong");
	if (h->version != VERSION)
		return differs("version", h->version, VERSION, error);
	if (h->model.low != expected->model.low || h->model.high != expected->model.high)
		return mote_error_set(error, MOTE_ERROR_UNSUPPORTED, "a sequence's state of another model%s",
				      follows_context(s->model) ? ", or of a context whose RoPE has other frequencies" :
				      "");
	if (h->kv_k != expected->kv_k)
		return other_type("keys", h->kv_k, expected->kv_k, error);
	if (h->kv_v != expected->kv_v)
		return other_type("values", h->kv_v, expected->kv_v, error);
	if (h->page_positions != expected->page_positions)
		return mote_error_set(error, MOTE_ERROR_UNSUPPORTED, "a sequence's state in pages of %llu positions; "
				      "this session's have %llu (that of a context of less than %u is one page)",
				      (unsigned long long)h->page_positions,
				      (unsigned long long)expected->page_positions, MOTE_SEGMENT_POSITIONS);
	if (h->page_bytes != expected->page_bytes)
		return differs("bytes a page", h->page_bytes, expected->page_bytes, error);
	if (h->positions > s->options.context_tokens)
		return mote_error_set(error, MOTE_ERROR_ARGUMENT,
				      "a sequence's state of %llu positions; the context has %u",
				      (unsigned long long)h->positions, s->options.context_tokens);
	if (h->pages != mote_kv_cache_pages(&s->cache, (uint32_t)h->positions))
		return mote_error_set(error, MOTE_ERROR_CORRUPT, "a sequence's state: %llu pages for %llu positions",
				      (unsigned long long)h->pages, (unsigned long long)h->positions);
	return MOTE_OK;
}

struct loader {
	enum mote_status (*read)(void *user, void *data, size_t bytes, struct mote_error *error);
	void *user;
	XXH3_state_t *hash;
};

static enum mote_status load_pages(struct mote_session *s, uint32_t sequence, uint32_t positions, struct loader *in,
				   struct mote_error *error)
{
	struct mote_kv_cache *c = &s->cache;
	struct mote_hash128 found, expected;
	enum mote_status status;

	if (!mote_kv_cache_reserve(c, sequence, 0, positions))
		return mote_error_set(error, MOTE_ERROR_LIMIT, "a sequence's state takes %u pages; fewer are free",
				      mote_kv_cache_pages(c, positions));
	for (uint32_t chunk = 0; chunk < c->held[sequence]; chunk++) {
		uint8_t *page = mote_kv_cache_page(c, sequence, chunk);

		if ((status = in->read(in->user, page, c->page_bytes, error)))
			return status;
		XXH3_128bits_update(in->hash, page, c->page_bytes);
	}
	if ((status = in->read(in->user, &found, sizeof found, error)))
		return status;
	expected = digest(in->hash);
	if (found.low != expected.low || found.high != expected.high)
		return mote_error_set(error, MOTE_ERROR_CORRUPT, "a sequence's state: its checksum is wrong");
	return MOTE_OK;
}

enum mote_status mote_session_state_load(struct mote_session *s, uint32_t sequence,
					 enum mote_status (*read)(void *user, void *data, size_t bytes,
								  struct mote_error *error),
					 void *user, struct mote_error *error)
{
	struct loader in = {.read = read, .user = user};
	struct header h, expected;
	enum mote_status status = check_sequence(s, sequence, error);

	if (status)
		return status;
	mote_kv_cache_keep(&s->cache, sequence, 0);
	in.hash = XXH3_createState();
	if (!in.hash)
		return no_memory(error);
	if ((status = fill_header(s, 0, in.hash, &expected, error)) || (status = read(user, &h, sizeof h, error)) ||
	    (status = check_header(s, &h, &expected, error)))
		goto end;
	XXH3_128bits_reset(in.hash);
	XXH3_128bits_update(in.hash, &h, sizeof h);
	status = load_pages(s, sequence, (uint32_t)h.positions, &in, error);
	mote_kv_cache_keep(&s->cache, sequence, status ? 0 : (uint32_t)h.positions);
end:
	XXH3_freeState(in.hash);
	return status;
}

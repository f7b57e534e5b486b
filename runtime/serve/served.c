/* See served.h. `lock` guards the table and is held for moments;
 * `loading` is taken before it by who loads or unloads. */
#include "runtime/serve/served.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "format/clock.h"
#include "runtime/serve/engine_internal.h"

enum { WAIT_TRIES = 200, WAIT_MICROSECONDS = 50000 };

struct mote_models {
	struct mote_models_options options;
	pthread_mutex_t lock, loading;
	struct mote_served *served;        /* [count] */
	uint32_t count;
	struct mote_engine_figures gone;   /* of those that were unloaded */
	bool stopping;
	bool waits;                        /* a model for room: others that are loaded wait behind it */
};

enum mote_status mote_models_open(const struct mote_models_options *options, struct mote_models **out,
				  struct mote_error *error)
{
	struct mote_models *m = calloc(1, sizeof *m);

	*out = m;
	if (!m || !(m->served = calloc(MOTE_MODELS_MAX, sizeof *m->served))) {
		free(m);
		*out = NULL;
		return mote_error_set(error, MOTE_ERROR_MEMORY, "no memory for a server");
	}
	m->options = *options;
	pthread_mutex_init(&m->lock, NULL);
	pthread_mutex_init(&m->loading, NULL);
	return MOTE_OK;
}

/* ---- names ---- */

static bool is_model(const char *name)
{
	size_t n = strlen(name);

	return n > 5 && !strcmp(name + n - 5, ".mote") && *name != '.';
}

static struct mote_served *find(const struct mote_models *m, const char *name)
{
	for (uint32_t i = 0; i < m->count; i++)
		if (!name || m->count == 1 || !strcmp(m->served[i].name, name))
			return &m->served[i];
	return NULL;
}

enum mote_status mote_models_add(struct mote_models *m, const char *path, const char *name, struct mote_error *error)
{
	const char *slash = strrchr(path, '/');
	struct mote_served s = {.name = strdup(name ? name : slash ? slash + 1 : path), .path = strdup(path)};
	enum mote_status status = MOTE_OK;

	if (!s.name || !s.path)
		status = mote_error_set(error, MOTE_ERROR_MEMORY, "no memory for a model's name");
	else if (!name && is_model(s.name))
		s.name[strlen(s.name) - 5] = 0;
	for (uint32_t i = 0; i < m->count && status == MOTE_OK; i++)
		if (!strcmp(m->served[i].name, s.name))
			status = mote_error_set(error, MOTE_ERROR_ARGUMENT, "%s and %s: two models of the name %s",
						m->served[i].path, path, s.name);
	if (status == MOTE_OK && m->count == MOTE_MODELS_MAX)
		status = mote_error_set(error, MOTE_ERROR_ARGUMENT, "%s: more than %d models", path, MOTE_MODELS_MAX);
	if (status == MOTE_OK) {
		m->served[m->count++] = s;
		return MOTE_OK;
	}
	free(s.name);
	free(s.path);
	return status;
}

static int only_models(const struct dirent *entry)
{
	return is_model(entry->d_name);
}

enum mote_status mote_models_add_folder(struct mote_models *m, const char *folder, struct mote_error *error)
{
	enum mote_status status = MOTE_OK;
	struct dirent **entry;
	int found = scandir(folder, &entry, only_models, alphasort);
	char *path;

	if (found < 0)
		return mote_error_set(error, MOTE_ERROR_IO, "%s: %s", folder, strerror(errno));
	if (found == 0)
		status = mote_error_set(error, MOTE_ERROR_ARGUMENT, "%s: no file of it ends in .mote", folder);
	for (int i = 0; i < found; i++) {
		if (status == MOTE_OK && asprintf(&path, "%s/%s", folder, entry[i]->d_name) < 0) {
			status = mote_error_set(error, MOTE_ERROR_MEMORY, "no memory for a model's path");
		} else if (status == MOTE_OK) {
			status = mote_models_add(m, path, NULL, error);
			free(path);
		}
		free(entry[i]);
	}
	free(entry);
	return status;
}

uint32_t mote_models_count(const struct mote_models *m)
{
	return m->count;
}

const char *mote_models_name(const struct mote_models *m, uint32_t i)
{
	return m->served[i].name;
}

/* ---- figures ---- */

static void add_figures(struct mote_engine_figures *sum, const struct mote_engine_figures *f)
{
	sum->jobs += f->jobs;
	sum->refused += f->refused;
	sum->gone += f->gone;
	sum->late += f->late;
	sum->failed += f->failed;
	sum->prompt_tokens += f->prompt_tokens;
	sum->cached_tokens += f->cached_tokens;
	sum->tokens += f->tokens;
	sum->guessed += f->guessed;
	sum->guessed_right += f->guessed_right;
	sum->prompt_seconds += f->prompt_seconds;
	sum->predict_seconds += f->predict_seconds;
	sum->busy_seconds += f->busy_seconds;
	sum->sequences += f->sequences;
	sum->running += f->running;
	sum->waiting += f->waiting;
	sum->bytes += f->bytes;
	sum->context_tokens = f->context_tokens;
	sum->threads = f->threads;
	sum->isa = f->isa;
}

void mote_models_look(struct mote_models *m, struct mote_engine_figures *sum, uint32_t *loaded)
{
	struct mote_engine_figures f;

	pthread_mutex_lock(&m->lock);
	*sum = m->gone;
	*loaded = 0;
	for (uint32_t i = 0; i < m->count; i++)
		if (m->served[i].lm) {
			mote_engine_look(m->served[i].engine, &f, NULL);
			add_figures(sum, &f);
			++*loaded;
		}
	pthread_mutex_unlock(&m->lock);
}

/* ---- loading ---- */

/* Under `loading` and, but for what takes time, `lock`: nobody has taken it. */
static void unload(struct mote_models *m, struct mote_served *s)
{
	struct mote_engine *engine = s->engine;
	struct mote_engine_figures f;
	struct mote_lm *lm = s->lm;

	mote_engine_look(engine, &f, NULL);
	f.sequences = 0;
	f.bytes = 0;
	add_figures(&m->gone, &f);
	s->engine = NULL;
	s->lm = NULL;
	s->bytes = 0;
	pthread_mutex_unlock(&m->lock);
	mote_engine_close(engine);
	mote_lm_close(lm);
	pthread_mutex_lock(&m->lock);
}

/* Under both: unloads until so many bytes more fit, or nothing else is loaded. False: those in use leave no room. */
static bool make_room(struct mote_models *m, uint64_t bytes)
{
	for (;;) {
		struct mote_served *oldest = NULL;
		uint64_t sum = bytes;

		for (uint32_t i = 0; i < m->count; i++) {
			struct mote_served *s = &m->served[i];

			sum += s->bytes;
			if (s->lm && !s->users && (!oldest || s->used < oldest->used))
				oldest = s;
		}
		if (!m->options.most_bytes || sum <= m->options.most_bytes || sum == bytes)
			return true;
		if (!oldest)
			return false;
		unload(m, oldest);
	}
}

/* Opens what lies at s->path, into *s, which others do not look into yet. */
static enum mote_status load(const struct mote_models *m, bool mapped, struct mote_served *s, struct mote_error *error)
{
	struct mote_lm_options open = MOTE_LM_OPTIONS_INIT;
	struct mote_engine_figures figures;
	struct mote_lm_error own = {0};

	open.mapped = mapped;
	if (mote_lm_open(s->path, &open, &s->lm, &own) ||
	    mote_engine_open(s->lm, &m->options.engine, &s->engine, &own)) {
		mote_lm_close(s->lm);
		s->lm = NULL;
		return mote_error_set(error, (enum mote_status)own.status, "%s", own.message);
	}
	mote_lm_describe(s->lm, &s->info);
	mote_engine_look(s->engine, &figures, NULL);
	s->context_tokens = figures.context_tokens;
	s->bytes = s->info.file_bytes + figures.bytes;
	return MOTE_OK;
}

/* Whether it can be loaded, and in how many bytes: opened where it lies and closed again, since neither its pages nor
 * those of a session take memory before they are used. Nobody need leave for what cannot come. */
static enum mote_status measure(const struct mote_models *m, const struct mote_served *s, uint64_t *bytes,
				struct mote_error *error)
{
	struct mote_served opened = {.path = s->path}; /* the rest is read under the lock */
	enum mote_status status = load(m, true, &opened, error);

	if (status)
		return status;
	mote_engine_close(opened.engine);
	mote_lm_close(opened.lm);
	*bytes = opened.bytes;
	return MOTE_OK;
}

/* Under `loading` and `lock`: those in use get a while to be given back. */
static bool wait_for_room(struct mote_models *m, uint64_t bytes)
{
	bool room;

	for (int tries = WAIT_TRIES; !(room = make_room(m, bytes)) && tries && !m->stopping; tries--) {
		m->waits = true;
		pthread_mutex_unlock(&m->lock);
		usleep(WAIT_MICROSECONDS);
		pthread_mutex_lock(&m->lock);
	}
	m->waits = false;
	return room;
}

/* Under `loading` and `lock`, which is given up while it loads. */
static enum mote_status load_at(struct mote_models *m, struct mote_served *s, struct mote_error *error)
{
	struct mote_served loaded = *s;
	enum mote_status status = MOTE_OK;
	uint64_t bytes = 0;

	pthread_mutex_unlock(&m->lock);
	if (m->options.most_bytes)
		status = measure(m, s, &bytes, error);
	pthread_mutex_lock(&m->lock);
	if (status == MOTE_OK && !wait_for_room(m, bytes))
		status = mote_error_set(error, MOTE_ERROR_LIMIT,
					"the models in use leave no memory for %s; try again later", s->name);
	if (status)
		return status;
	pthread_mutex_unlock(&m->lock);
	status = load(m, m->options.mapped, &loaded, error);
	pthread_mutex_lock(&m->lock);
	if (status)
		return status;
	/* the rest is the same and read without a lock */
	s->lm = loaded.lm;
	s->engine = loaded.engine;
	s->info = loaded.info;
	s->context_tokens = loaded.context_tokens;
	s->bytes = loaded.bytes;
	return MOTE_OK;
}

const struct mote_served *mote_models_take(struct mote_models *m, const char *name, struct mote_error *error)
{
	struct mote_served *s = find(m, name);
	enum mote_status status = MOTE_OK;

	if (!s) {
		(void)mote_error_set(error, MOTE_ERROR_ARGUMENT, "no model is called %.200s", name);
		return NULL;
	}
	pthread_mutex_lock(&m->lock);
	if (!s->lm || m->waits) {
		pthread_mutex_unlock(&m->lock);
		pthread_mutex_lock(&m->loading);
		pthread_mutex_lock(&m->lock);
		if (!s->lm)
			status = m->stopping ? mote_error_set(error, MOTE_ERROR_LIMIT,
							      "the server is stopping") : load_at(m, s, error);
		pthread_mutex_unlock(&m->loading);
	}
	if (status == MOTE_OK)
		s->users++;
	pthread_mutex_unlock(&m->lock);
	return status ? NULL : s;
}

const struct mote_served *mote_models_peek(struct mote_models *m, uint32_t i)
{
	struct mote_served *s = &m->served[i];
	bool loaded;

	pthread_mutex_lock(&m->lock);
	loaded = s->lm != NULL;
	s->users += loaded;
	pthread_mutex_unlock(&m->lock);
	return loaded ? s : NULL;
}

void mote_models_give_back(struct mote_models *m, const struct mote_served *served)
{
	struct mote_served *s = &m->served[served - m->served];

	pthread_mutex_lock(&m->lock);
	s->users--;
	s->used = mote_clock_seconds();
	pthread_mutex_unlock(&m->lock);
}

/* ---- the end ---- */

void mote_models_stop(struct mote_models *m, double seconds)
{
	bool busy = true;

	pthread_mutex_lock(&m->lock);
	m->stopping = true;
	pthread_mutex_unlock(&m->lock);
	pthread_mutex_lock(&m->loading);
	for (uint32_t i = 0; i < m->count; i++)
		if (m->served[i].engine)
			mote_engine_drain(m->served[i].engine);
	for (double waited = 0; waited < seconds && busy; waited += 0.02) {
		busy = false;
		for (uint32_t i = 0; i < m->count; i++)
			busy |= m->served[i].engine && !mote_engine_idle(m->served[i].engine);
		if (busy)
			usleep(20000);
	}
	for (uint32_t i = 0; i < m->count; i++)
		if (m->served[i].engine)
			mote_engine_stop(m->served[i].engine);
	pthread_mutex_unlock(&m->loading);
}

void mote_models_close(struct mote_models *m)
{
	if (!m)
		return;
	for (uint32_t i = 0; i < m->count; i++) {
		mote_engine_close(m->served[i].engine);
		mote_lm_close(m->served[i].lm);
		free(m->served[i].name);
		free(m->served[i].path);
	}
	pthread_mutex_destroy(&m->lock);
	pthread_mutex_destroy(&m->loading);
	free(m->served);
	free(m);
}

/* Opening what mote-perplexity reads and writes: models, texts, outputs. */
#include <string.h>

#include "quant/measure/own_text.h"
#include "quant/perplexity.h"
#include "quant/receipt/report.h"

const char *perplexity_base_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? slash + 1 : path;
}

/* ---- outputs ---- */

static enum mote_status refuse_inputs(const struct perplexity_options *o, const char *path, struct mote_error *error)
{
	const char *const inputs[] = {o->reference, o->reference_logits, o->prompts};
	enum mote_status status = MOTE_OK;

	for (size_t i = 0; i < sizeof inputs / sizeof *inputs && status == MOTE_OK; i++)
		status = mote_output_refuse_input(path, inputs[i], error);
	for (uint32_t i = 0; i < o->files.count && status == MOTE_OK; i++)
		status = mote_output_refuse_input(path, o->files.path[i], error);
	for (uint32_t i = 0; i < o->models.count && status == MOTE_OK; i++)
		status = mote_output_refuse_input(path, o->models.value[i], error);
	return status;
}

/* One of the outputs, before anything is computed: it replaces nothing that is read. */
static enum mote_status open_output(const struct perplexity_options *o, const char *path, struct mote_output **out,
				    struct mote_error *error)
{
	enum mote_status status;

	if (!path)
		return MOTE_OK;
	status = refuse_inputs(o, path, error);
	if (status == MOTE_OK)
		status = mote_output_open(path, o->force, out, error);
	if (status != MOTE_OK)
		mote_console_hint_force(o->force, error);
	return status;
}

enum mote_status perplexity_open_outputs(struct perplexity_run *r, struct mote_error *error)
{
	const char *const outputs[] = {r->o->per_token, r->o->report, r->o->save_logits};
	enum mote_status status = refuse_inputs(r->o, r->o->part, error);

	for (int i = 0; i < 3 && status == MOTE_OK; i++)
		status = mote_output_refuse_same(outputs[i], outputs[(i + 1) % 3], error);
	if (status == MOTE_OK)
		status = open_output(r->o, r->o->per_token, &r->per_token, error);
	if (status == MOTE_OK)
		status = open_output(r->o, r->o->report, &r->report, error);
	return status == MOTE_OK ? open_output(r->o, r->o->save_logits, &r->logits, error) : status;
}

/* ---- models ---- */

static enum mote_status open_model(struct perplexity_model *m, const char *path, struct mote_error *error)
{
	enum mote_status status = mote_model_open(path, MOTE_WEIGHTS_DEFAULT, &m->model, error);

	m->path = path;
	if (status != MOTE_OK)
		return status;
	m->file_bytes = mote_container_file_bytes(m->model->container);
	m->bits_per_weight = mote_report_bits_per_weight(m->model->container);
	return MOTE_OK;
}

enum mote_status perplexity_open_models(struct perplexity_run *r, struct mote_error *error)
{
	const struct perplexity_options *o = r->o;
	size_t bytes = 0;
	const void *section;
	enum mote_status status = MOTE_OK;

	for (; r->models < o->models.count && status == MOTE_OK; r->models++)
		if ((status = open_model(&r->model[r->models], o->models.value[r->models], error)))
			mote_console_hint_model(o->models.value[r->models], error);
	if (status == MOTE_OK && o->reference)
		status = open_model(&r->reference, o->reference, error);
	if (o->reference_logits)
		r->reference.path = o->reference_logits;
	if (status != MOTE_OK)
		return status;
	section = mote_container_section(r->model[0].model->container, MOTE_SECTION_TOKENIZER, &bytes);
	return section ? mote_tokenizer_open(section, bytes, &r->tokenizer, error) : MOTE_OK;
}

/* ---- texts ---- */

static bool same_tokenizer(const struct mote_model *a, const struct mote_model *b)
{
	size_t bytes = 0, other_bytes = 0;
	const void *section = mote_container_section(a->container, MOTE_SECTION_TOKENIZER, &bytes);
	const void *other = mote_container_section(b->container, MOTE_SECTION_TOKENIZER, &other_bytes);

	return section && other && bytes == other_bytes && memcmp(section, other, bytes) == 0;
}

/* Of one tokenizer there are several forms: a GGUF file has no merges of SentencePiece's, a directory has. */
enum mote_status perplexity_check_tokens(const struct perplexity_run *r, const struct perplexity_text *t,
					 const struct mote_plan_options *options, struct mote_error *error)
{
	struct mote_plan_options same = *options;
	enum mote_status status = MOTE_OK;

	same.context_tokens = t->plan.context; /* the first model's, where the other has fewer positions */
	for (uint32_t i = 1; i <= r->models && status == MOTE_OK; i++) {
		const struct mote_model *m = i < r->models ? r->model[i].model : r->reference.model;
		struct mote_plan plan;

		if (!m || same_tokenizer(m, r->model[0].model))
			continue;
		status = mote_plan_init(m, &t->text, &same, &plan, error);
		if (status == MOTE_OK && (plan.chunks != t->plan.chunks ||
					  memcmp(&plan.ids_hash, &t->plan.ids_hash, sizeof plan.ids_hash) != 0))
			status = mote_error_set(error, MOTE_ERROR_ARGUMENT,
						"%s has another tokenizer than %s, and reads the text as other tokens",
						mote_container_path(m->container), r->model[0].path);
		mote_plan_free(&plan);
	}
	return status;
}

enum mote_status perplexity_generate(struct perplexity_run *r, uint64_t seed, uint32_t tokens, struct mote_error *error)
{
	struct mote_progress progress;
	struct mote_own_text_options options = {.seed = seed, .min_tokens = tokens, .threads = r->o->threads,
						.progress = &progress};
	enum mote_status status;

	perplexity_expect(r, tokens);
	progress = perplexity_begin(r, PERPLEXITY_GENERATE, 0);
	status = mote_text_generate(r->reference.model ? r->reference.model : r->model[0].model, &options,
				    &r->text[0].text, error);
	mote_console_progress_end(&r->bar);
	return status;
}

static enum mote_status read_text(const char *path, bool first, struct mote_text *t, struct mote_error *error)
{
	struct mote_error what = {0};
	enum mote_status status = mote_console_read_file(path, PERPLEXITY_TEXT_BYTES, &t->data, &t->bytes, error);

	snprintf(t->name, sizeof t->name, "%s", strcmp(path, "-") ? perplexity_base_name(path) : "standard input");
	if (status == MOTE_OK && first && mote_text_check(t, &what) != MOTE_OK)
		mote_console_warn(PERPLEXITY, "%s; it is measured as it is", what.message);
	return status;
}

/* Once, since standard input has them once; and what a model cannot take is refused before it is measured. */
static enum mote_status read_prompts(struct perplexity_run *r, struct mote_error *error)
{
	const char *path = r->o->prompts;
	enum mote_status status = mote_console_read_file(path, PERPLEXITY_TEXT_BYTES, &r->prompts, &r->prompt_bytes,
							 error);

	for (uint32_t i = 0; i <= r->models && status == MOTE_OK; i++) {
		const struct mote_model *m = i < r->models ? r->model[i].model : r->reference.model;
		struct mote_answers answers = {0};

		if (m)
			status = mote_answers_read(m, r->prompts, r->prompt_bytes, perplexity_base_name(path), &answers,
						   error);
		mote_answers_free(&answers);
	}
	return status;
}

enum mote_status perplexity_read_texts(struct perplexity_run *r, struct mote_error *error)
{
	const struct perplexity_options *o = r->o;
	enum mote_status status = o->prompts && mote_team_rank(r->team) == 0 ? read_prompts(r, error) : MOTE_OK;

	if (status != MOTE_OK)
		return status;
	r->texts = 1;
	if (o->generate)
		return perplexity_generate(r, o->seed.value, o->generate, error);
	for (uint32_t i = 0; i < o->files.count && status == MOTE_OK; i++) {
		r->texts = i + 1;
		if (strcmp(o->files.path[i], "-") == 0 && mote_team_size(r->team) > 1)
			return mote_error_set(error, MOTE_ERROR_ARGUMENT,
					      "standard input is one process's; give a file that all can read");
		status = read_text(o->files.path[i], mote_team_rank(r->team) == 0, &r->text[i].text, error);
	}
	perplexity_expect(r, 0);
	return status; /* without a file --check writes its own */
}

/* Any bytes as a chat template, up to the first NUL, and what follows as its JSON context: refused with a message, or
 * rendered to valid UTF-8 whose spans cover it; within its limits, and the same twice. */
#include <stdlib.h>
#include <string.h>

#include <utf8proc.h>

#include "runtime/template/template.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_rendered(const struct mote_rendered *r)
{
	utf8proc_int32_t code;
	utf8proc_ssize_t length;
	size_t at = 0;

	for (size_t i = 0; i < r->n_spans; i++) {
		if (r->spans[i].begin != at || r->spans[i].end <= at ||
		    (i && r->spans[i].plain == r->spans[i - 1].plain))
			abort();
		at = r->spans[i].end;
	}
	if (at != r->bytes || r->text[at])
		abort();
	for (size_t i = 0; i < r->n_generated; i++)
		if (r->generated[i].begin >= r->generated[i].end || r->generated[i].end > r->bytes ||
		    (i && r->generated[i].begin <= r->generated[i - 1].end))
			abort();
	for (at = 0; at < r->bytes; at += (size_t)length) {
		length = utf8proc_iterate((const utf8proc_uint8_t *)r->text + at, (utf8proc_ssize_t)(r->bytes - at),
					  &code);
		if (length <= 0)
			abort();
	}
}

static void render(const struct mote_template *t, const cJSON *context)
{
	static const char *const trusted[] = {"bos_token", NULL};
	struct mote_template_limits limits = {.steps = 300000, .output_bytes = 1 << 20, .memory_bytes = 8 << 20};
	struct mote_rendered first, second;
	struct mote_error error = {0};
	enum mote_status status = mote_template_render(t, context, trusted, &limits, &first, &error);

	if ((status != MOTE_OK) != (error.message[0] != 0))
		abort();
	if (status == MOTE_OK)
		check_rendered(&first);
	if (mote_template_render(t, context, trusted, &limits, &second, NULL) != status ||
	    first.bytes != second.bytes || (first.bytes && memcmp(first.text, second.text, first.bytes)))
		abort();
	mote_rendered_free(&first);
	mote_rendered_free(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char fallback[] = "{\"messages\":[{\"role\":\"user\",\"content\":\"Hi \\u00e9\"},"
				       "{\"role\":\"assistant\","
				       "\"content\":\"<b>\"}],\"bos_token\":\"<s>\",\"n\":3,\"f\":2.5,\"l\":[3,1,2],"
				       "\"d\":{\"a\":1,\"b\":null}}";
	const uint8_t *end = size ? memchr(data, 0, size) : NULL;
	size_t bytes = end ? (size_t)(end - data) : size;
	struct mote_template *t;
	struct mote_error error = {0};
	cJSON *context = NULL;

	if (!end || mote_json_parse((const char *)end + 1, size - bytes - 1, "context", &context, NULL) != MOTE_OK)
		if (mote_json_parse(fallback, sizeof fallback - 1, "context", &context, NULL) != MOTE_OK)
			abort();
	if (mote_template_open((const char *)data, bytes, NULL, &t, &error) == MOTE_OK)
		render(t, context);
	else if (!error.message[0] || t)
		abort();
	mote_template_close(t);
	cJSON_Delete(context);
	return 0;
}

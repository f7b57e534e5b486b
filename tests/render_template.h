/* For tests of templates: rendering one with a context given as JSON. Included after cmocka.h. */
#ifndef MOTE_TESTS_RENDER_TEMPLATE_H
#define MOTE_TESTS_RENDER_TEMPLATE_H

#include <string.h>

#include "runtime/template/template.h"

/* context NULL: an empty one; limits NULL: the usual ones */
static inline enum mote_status render(const char *text, const char *context, const struct mote_template_limits *limits,
			       struct mote_rendered *out, struct mote_error *error)
{
	static const char *const trusted[] = {"bos_token", NULL};
	struct mote_template *t;
	enum mote_status status;
	cJSON *json;

	*out = (struct mote_rendered){0};
	*error = (struct mote_error){0};
	context = context ? context : "{}";
	assert_int_equal(mote_json_parse(context, strlen(context), "context", &json, error), MOTE_OK);
	status = mote_template_open(text, strlen(text), NULL, &t, error);
	if (status == MOTE_OK)
		status = mote_template_render(t, json, trusted, limits, out, error);
	assert_int_equal(status, error->code);
	mote_template_close(t);
	cJSON_Delete(json);
	return status;
}

static inline void check_error(const char *text, enum mote_status status, const char *message)
{
	struct mote_rendered r;
	struct mote_error error;

	if (render(text, "{\"x\":1}", NULL, &r, &error) != status || strncmp(error.message, message, strlen(message)))
		fail_msg("%s: status %d, \"%s\"", text, error.code, error.message);
}

#endif

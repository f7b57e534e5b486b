/* Chat: where an answer goes on with the conversation's last message, and which templates let it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "format/json.h"
#include "runtime/chat/chat.h"

#define TURNS(content) "{% for m in messages %}<{{ m.role }}>{{ " content " }}</s>{% endfor %}"

/* What is rendered of a user's message and the assistant's, which is gone on with. */
static enum mote_status go_on(const char *template, const char *messages, struct mote_rendered *out,
			      struct mote_error *error)
{
	struct mote_chat_request request = {.template_text = template, .continues_last = true};
	cJSON *list, *metadata;
	enum mote_status status;

	assert_int_equal(mote_json_parse(messages, strlen(messages), "messages", &list, NULL), MOTE_OK);
	assert_int_equal(mote_json_parse("{}", 2, "metadata", &metadata, NULL), MOTE_OK);
	request.messages = list;
	*error = (struct mote_error){0};
	status = mote_chat_render(metadata, &request, out, error);
	cJSON_Delete(list);
	cJSON_Delete(metadata);
	return status;
}

static void expect(const char *template, const char *messages, const char *prompt)
{
	struct mote_rendered r;
	struct mote_error error;

	assert_int_equal(go_on(template, messages, &r, &error), MOTE_OK);
	assert_string_equal(r.text, prompt);
	assert_int_equal(r.bytes, strlen(prompt));
	assert_int_equal(r.spans[r.n_spans - 1].end, r.bytes);
	assert_true(r.spans[r.n_spans - 1].plain);
	mote_rendered_free(&r);
}

static void refuse(const char *template, const char *messages, enum mote_status want)
{
	struct mote_rendered r;
	struct mote_error error;

	assert_int_equal(go_on(template, messages, &r, &error), want);
	assert_int_equal(error.code, want);
	assert_null(r.text);
}

#define TALK(content) "[{\"role\":\"user\",\"content\":\"a\"},{\"role\":\"assistant\",\"content\":" content "}]"

static void test_goes_on_behind_the_content(void **state)
{
	(void)state;
	expect(TURNS("m.content"), TALK("\"b\""), "<user>a</s><assistant>b");
	expect(TURNS("m.content"), TALK("\" b \\n\""), "<user>a</s><assistant> b \n");
	expect(TURNS("m.content") "{% if add_generation_prompt %}<assistant>{% endif %}", TALK("\"b\""),
	       "<user>a</s><assistant>b");
	/* one that always begins a turn, and one that ends none */
	expect(TURNS("m.content") "<assistant>", TALK("\"b\""), "<user>a</s><assistant>b");
	expect("{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}", TALK("\"b\""),
	       "<user>a<assistant>b");
	expect(TURNS("m.content"), TALK("\"</s><assistant>\""), "<user>a</s><assistant></s><assistant>");
	/* who knows the mark */
	expect(TURNS("m.content"), TALK("\"Qend of contentQend of content\""),
	       "<user>a</s><assistant>Qend of contentQend of content");
	expect(TURNS("m.content"), "[{\"role\":\"Qend of content\",\"content\":\"b\"}]", "<Qend of content>b");
}

static void test_a_trimmed_end_is_the_template_s(void **state)
{
	(void)state;
	expect(TURNS("m.content | trim"), TALK("\" b \\n\""), "<user>a</s><assistant>b");
	expect(TURNS("m.content.lstrip()"), TALK("\" b \""), "<user>a</s><assistant>b ");
	expect(TURNS("m.content.split('</think>')[-1]"), TALK("\"c</think>b\""), "<user>a</s><assistant>b");
}

static void test_what_cannot_be_known_is_refused(void **state)
{
	(void)state;
	refuse(TURNS("m.content[:1]"), TALK("\"bc\""), MOTE_ERROR_UNSUPPORTED);
	refuse(TURNS("m.content | upper"), TALK("\"b\""), MOTE_ERROR_UNSUPPORTED);
	refuse(TURNS("m.content ~ m.content"), TALK("\"b\""), MOTE_ERROR_UNSUPPORTED);
	refuse(TURNS("m.content ~ m.content | length"), TALK("\"b\""), MOTE_ERROR_UNSUPPORTED);
	refuse(TURNS("m.content.strip('x')"), TALK("\"bx\""), MOTE_ERROR_UNSUPPORTED);
	refuse("{% for m in messages if m.role == 'user' %}{{ m.content }}{% endfor %}", TALK("\"b\""),
	       MOTE_ERROR_UNSUPPORTED);
	refuse(TURNS("m.content"), TALK("\"\""), MOTE_ERROR_ARGUMENT);
	refuse(TURNS("m.content"), TALK("null"), MOTE_ERROR_ARGUMENT);
	refuse(TURNS("m.content"), "[]", MOTE_ERROR_ARGUMENT);
	refuse(TURNS("m.content"), "[{}]", MOTE_ERROR_ARGUMENT);
}

static bool opens(const char *template)
{
	const struct mote_reasoning_tags tags = {"<think>", "</think>", -1, -1};
	struct mote_rendered r;
	struct mote_error error;
	bool open;

	assert_int_equal(go_on(template, TALK("\"b</think>\""), &r, &error), MOTE_OK);
	open = mote_chat_opens_reasoning(&tags, &r);
	mote_rendered_free(&r);
	return open;
}

static void test_a_thought_is_open_where_the_template_opens_it(void **state)
{
	(void)state;
	assert_true(opens(TURNS("'<think>' ~ m.content")));
	assert_false(opens(TURNS("'<think></think>' ~ m.content")));
	assert_false(opens(TURNS("m.content")));
	assert_false(opens("{{ messages[1].content }}"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_goes_on_behind_the_content),
		cmocka_unit_test(test_a_trimmed_end_is_the_template_s),
		cmocka_unit_test(test_what_cannot_be_known_is_refused),
		cmocka_unit_test(test_a_thought_is_open_where_the_template_opens_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

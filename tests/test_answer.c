/* Answers: tags of reasoning by id and by text, stop texts and ids, a budget for reasoning, NUL, and JSON that is whole
 * or an error. The logits are scripted, a byte-level vocabulary gives each byte its token: no model is needed. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "format/utf8.h"
#include "runtime/generate/answer.h"
#include "runtime/generate/stop.h"
#include "tests/tiny_tokenizer.h"

#define BYTE_LEVEL "{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":true}"

enum { OPEN = 256, CLOSE = 257, END = 258, CALL = 259, CALLED, CALLS, VOCAB };

static struct tiny_tokenizer tiny;
static const struct mote_config config = {.vocab = VOCAB, .bos = -1, .eos = {END}, .n_eos = 1};

static int open_tokenizer(void **state)
{
	static struct tiny_json json;
	static const char added[] =
		"{\"id\":256,\"content\":\"<think>\",\"special\":true},{\"id\":257,\"content\":\"</think>\","
		"\"special\":true},"
		"{\"id\":258,\"content\":\"<end>\",\"special\":true},"
		"{\"id\":259,\"content\":\"<tool_call>\",\"special\":true},"
		"{\"id\":260,\"content\":\"</tool_call>\",\"special\":true},"
		"{\"id\":261,\"content\":\"[TOOL_CALLS]\",\"special\":true}";

	(void)state;
	return tiny_open(&tiny, tiny_byte_level(&json, "", BYTE_LEVEL, added, ""), NULL)
		? 0 : (print_error("%s\n", tiny.error.message), 1);
}

static int close_tokenizer(void **state)
{
	(void)state;
	tiny_close(&tiny);
	return 0;
}

struct shown {
	char text[2][4096]; /* by part */
	size_t bytes[2];
};

static void show(void *user, enum mote_reasoning_part part, const char *text, size_t bytes)
{
	struct shown *s = user;

	assert_true(bytes > 0);
	assert_int_equal(mote_utf8_valid(text, bytes), bytes); /* whole characters */
	memcpy(s->text[part] + s->bytes[part], text, bytes);
	s->bytes[part] += bytes;
}

/* Lets the model say ids[count], and END for ever after. The caller frees the answer. */
static void say_ids(struct mote_answer_options o, const int32_t *ids, size_t count, struct mote_answer *answer,
		    struct shown *shown)
{
	struct mote_error error = {0};
	struct mote_ids prompt = {.count = 1, .id = (int32_t[]){'p'}};
	size_t at = 0;

	memset(shown, 0, sizeof *shown);
	o.config = &config;
	o.tokenizer = tiny.t;
	o.prompt = &prompt;
	o.show = show;
	o.user = shown;
	if (mote_sampler_open(&(struct mote_sampler_options){.top_p = 1}, VOCAB, &o.sampler, &error) ||
	    mote_answer_open(&o, answer, &error))
		fail_msg("%s", error.message);
	for (;;) {
		float logits[VOCAB] = {0};

		logits[at < count ? ids[at++] : END] = 1;
		if (mote_answer_take(answer, logits) == MOTE_ENDED)
			break;
		assert_true(answer->ids.count < 4000);
	}
	assert_int_equal(mote_answer_take(answer, (float[VOCAB]){0}), MOTE_ENDED); /* nothing happens any more */
	mote_sampler_close(o.sampler);
	assert_string_equal(answer->text ? answer->text : "", shown->text[MOTE_PART_ANSWER]);
	assert_string_equal(answer->reasoning ? answer->reasoning : "", shown->text[MOTE_PART_REASONING]);
}

/* The same (what it would say while a closing tag is put in is lost: ?), with < for <think>, > for </think> and $ for
 * <end>. */
static void say(struct mote_answer_options o, const char *script, const char *text, const char *reasoning,
		enum mote_finish finish)
{
	int32_t ids[4096];
	size_t n = strlen(script);
	struct mote_answer answer;
	struct shown shown;

	for (size_t i = 0; i < n; i++)
		ids[i] = script[i] == '<' ? OPEN : script[i] == '>' ? CLOSE : script[i] == '$' ? END :
			 (uint8_t)script[i];
	say_ids(o, ids, n, &answer, &shown);
	assert_string_equal(shown.text[MOTE_PART_ANSWER], text);
	assert_string_equal(shown.text[MOTE_PART_REASONING], reasoning);
	assert_int_equal(answer.finish, finish);
	mote_answer_free(&answer);
}

/* Who reads the text finds calls by their tags, so these are there although they are special tokens. */
static void test_tool_call(void **state)
{
	static const int32_t ids[] = {'a', CALL, '{', '}', CALLED, CALLS, END};
	struct mote_answer answer;
	struct shown shown;

	(void)state;
	say_ids((struct mote_answer_options){0}, ids, sizeof ids / sizeof *ids, &answer, &shown);
	assert_string_equal(answer.text, "a<tool_call>{}</tool_call>[TOOL_CALLS]");
	mote_answer_free(&answer);
}

static void test_tags(void **state)
{
	struct mote_answer_options o = {0}, inside = {.reasoning_open = true};

	(void)state;
	say(o, "hello$more", "hello", "", MOTE_FINISH_STOP);
	say(o, "<\n\nhm\n>\n\nyes$", "yes", "hm\n", MOTE_FINISH_STOP);
	say(inside, "hm>yes$", "yes", "hm", MOTE_FINISH_STOP);
	say(inside, "hm\xe2\x82\xac$", "", "hm\xe2\x82\xac", MOTE_FINISH_STOP);
	o.most_tokens = 4;
	say(o, "<ab\xe2\x82\xac$", "", "ab\xef\xbf\xbd", MOTE_FINISH_LENGTH);
	o.most_tokens = 0;
	o.context_tokens = 6; /* one for the prompt; the last token lies beyond */
	say(o, "abcdefgh$", "abcdef", "", MOTE_FINISH_LENGTH);
}

/* Tags that the tokenizer has no tokens for come in pieces. */
static void test_tags_in_text(void **state)
{
	struct mote_answer_options o = {0};
	cJSON *metadata = NULL;
	static const char json[] = "{\"reasoning\":{\"open\":\"[THINK]\",\"close\":\"[/THINK]\"}}";

	(void)state;
	assert_int_equal(mote_json_parse(json, strlen(json), "metadata", &metadata, NULL), MOTE_OK);
	o.metadata = metadata;
	say(o, "[THINK]a[b[/THIS[/THINK] c[THINK", "c[THINK", "a[b[/THIS", MOTE_FINISH_STOP);
	say(o, "x[TH[THINK][/THINK]y", "x[THy", "", MOTE_FINISH_STOP);
	o.stop_text = (const char *[]){"HI", "\n"};
	o.stop_texts = 2;
	say(o, "[THINK]\nHI\n[/THINK]\n\n H\nI", "H", "HI\n", MOTE_FINISH_STOP);
	o.stop_texts = 0;
	o.reasoning_open = true;
	say(o, "so[/THINK]\n\n[THINK]again[/THINK] 4", "4", "soagain", MOTE_FINISH_STOP);
	o.think_tokens = 3;
	say(o, "abc????????yes", "yes", "abc", MOTE_FINISH_STOP);
	cJSON_Delete(metadata);
}

static void test_stops(void **state)
{
	const char *texts[] = {"\nUser:", "\xe2\x82\xac", "END"};
	const int32_t ids[] = {'#'};
	struct mote_answer_options o = {.stop_text = texts, .stop_texts = 3, .stop_id = ids, .stop_ids = 1};

	(void)state;
	say(o, "hi\nUser: hello", "hi", "", MOTE_FINISH_STOP);
	say(o, "hi\nUse it\n\nUser:x", "hi\nUse it\n", "", MOTE_FINISH_STOP);
	say(o, "5 \xe2\x82\xac", "5 ", "", MOTE_FINISH_STOP);
	say(o, "5 \xe2\x82\xad \xe2\x82", "5 \xe2\x82\xad \xef\xbf\xbd", "", MOTE_FINISH_STOP);
	say(o, "ab#cd", "ab#", "", MOTE_FINISH_STOP);
	say(o, "ENENDx", "EN", "", MOTE_FINISH_STOP);
	say(o, "EN$", "EN", "", MOTE_FINISH_STOP); /* held back to the end */
	say(o, "<EN>D END", "D ", "EN", MOTE_FINISH_STOP); /* not across a tag */
	say(o, "<so END it is>\n\nEN END", "EN ", "so END it is", MOTE_FINISH_STOP); /* not of a thought */
	o.reasoning_open = true;
	say(o, "END\nUser:>a\nUser:b", "a", "END\nUser:", MOTE_FINISH_STOP);
	o.continues_text = true; /* but of a text that goes on */
	say(o, "so END it is>x", "", "so ", MOTE_FINISH_STOP);
	o.continues_text = o.reasoning_open = false;
	texts[2] = "\n"; /* nor in the blank behind one, which is not shown */
	say(o, "<so\n>\n\n a b\nc", "a b", "so\n", MOTE_FINISH_STOP);
	say(o, "\nc", "", "", MOTE_FINISH_STOP);
	o.ignore_eos = true;
	say(o, "a$b#", "ab#", "", MOTE_FINISH_STOP);
	texts[1] = "";
	o.tokenizer = tiny.t;
	assert_int_equal(mote_answer_open(&o, &(struct mote_answer){0}, NULL), MOTE_ERROR_ARGUMENT);
	texts[1] = "\xe2\x82";
	o.tokenizer = tiny.t;
	assert_int_equal(mote_answer_open(&o, &(struct mote_answer){0}, NULL), MOTE_ERROR_ARGUMENT);
}

/* Whatever the cut into pieces: the same text up to the same stop text, which a plain search finds. */
static void test_stop_pieces(void **state)
{
	static const char *const texts[] = {"aab", "abab", "ba\xc3\xa9", "bbbb"};
	uint64_t seed = 5;

	(void)state;
	for (int round = 0; round < 3000; round++) {
		char text[64], out[64] = "";
		size_t n = 0, at = 0, first = SIZE_MAX, used = 0;
		struct mote_stop *s;
		int found = -1;

		while (n < 40) {
			seed = seed * 6364136223846793005u + 1442695040888963407u;
			if ((seed >> 40) % 5 == 4)
				memcpy(text + n, "\xc3\xa9", 2), n += 2;
			else
				text[n++] = (seed >> 40) % 5 < 2 ? 'a' : 'b';
		}
		text[n] = 0;
		for (size_t i = 0; i < 4; i++) {
			const char *place = strstr(text, texts[i]);
			first = place && (size_t)(place - text) < first ? (size_t)(place - text) : first;
		}
		assert_int_equal(mote_stop_open(texts, 4, &s, NULL), MOTE_OK);
		while (at < n && found < 0) {
			size_t piece = 1 + (seed >> at % 32) % 7, bytes;
			const char *shown;

			piece = piece < n - at ? piece : n - at;
			while (at + piece < n && mote_utf8_continues(text[at + piece]))
				piece++;
			assert_int_equal(mote_stop_next(s, text + at, piece, &found, &shown, &bytes, NULL), MOTE_OK);
			memcpy(out + used, shown, bytes);
			used += bytes;
			at += piece;
		}
		if (found < 0) {
			size_t bytes;
			const char *shown = mote_stop_flush(s, &bytes);
			memcpy(out + used, shown, bytes);
			used += bytes;
		}
		assert_int_equal(found >= 0, first != SIZE_MAX);
		assert_int_equal(used, first == SIZE_MAX ? n : first);
		assert_memory_equal(out, text, used);
		mote_stop_close(s);
	}
}

static void test_think_budget(void **state)
{
	struct mote_answer_options o = {.think_tokens = 3};

	(void)state;
	say(o, "<abc?yes$", "yes", "abc", MOTE_FINISH_STOP);
	say(o, "<ab>yes$", "yes", "ab", MOTE_FINISH_STOP);
	say(o, "abcdefgh$", "abcdefgh", "", MOTE_FINISH_STOP);
	say(o, "<ab>x<c?y<?z$", "xyz", "abc", MOTE_FINISH_STOP); /* of all thoughts together */
	o.reasoning_open = true;
	say(o, "abc?42$", "42", "abc", MOTE_FINISH_STOP);
}

/* A thought is closed when somebody asks, before its first token too; who asks outside of thoughts asks for nothing. */
static void test_close_reasoning(void **state)
{
	struct mote_ids prompt = {.count = 1, .id = (int32_t[]){'p'}};
	static const int32_t ids[] = {'?', 'a', OPEN, '?', 'b', OPEN, 'c', '?', 'd', END};
	struct mote_answer_options o = {.config = &config, .tokenizer = tiny.t, .prompt = &prompt,
					.reasoning_open = true};
	struct mote_answer answer;

	(void)state;
	assert_int_equal(mote_sampler_open(&(struct mote_sampler_options){.top_p = 1}, VOCAB, &o.sampler, NULL),
			 MOTE_OK);
	assert_int_equal(mote_answer_open(&o, &answer, NULL), MOTE_OK);
	for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
		float logits[VOCAB] = {0};

		logits[ids[i]] = 1;
		if (ids[i] == '?' || ids[i] == 'b')
			mote_answer_close_reasoning(&answer);
		(void)mote_answer_take(&answer, logits);
	}
	assert_string_equal(answer.text, "abd");
	assert_string_equal(answer.reasoning, "c");
	assert_int_equal(answer.finish, MOTE_FINISH_STOP);
	mote_answer_free(&answer);
	mote_sampler_close(o.sampler);
}

/* NUL does not end a text. */
static void test_nul(void **state)
{
	static const int32_t ids[] = {'a', 0, 'b', OPEN, 0, 'c', CLOSE, 0, 0};
	struct mote_json_builder b = {0};
	struct mote_answer answer;
	struct mote_ids prompt = {.count = 2, .id = (int32_t[]){7, 8, 9}};
	struct shown shown;
	cJSON *json = mote_json_new_object(&b), *again;
	char *text;
	size_t bytes;

	(void)state;
	say_ids((struct mote_answer_options){0}, ids, sizeof ids / sizeof *ids, &answer, &shown);
	assert_string_equal(answer.text, "a\xef\xbf\xbd" "b\xef\xbf\xbd\xef\xbf\xbd");
	assert_string_equal(answer.reasoning, "\xef\xbf\xbd" "c");
	assert_int_equal(answer.text_bytes, strlen(answer.text));
	mote_answer_add_json(&b, json, &answer, &prompt);
	assert_int_equal(mote_json_finish(&b, &json, "test", NULL), MOTE_OK);
	text = mote_json_print(json, &bytes);
	assert_int_equal(mote_json_parse(text, bytes, "what mote writes, mote reads", &again, NULL), MOTE_OK);
	assert_string_equal(mote_json_get(again, "text")->valuestring, answer.text);
	assert_int_equal((int)mote_json_get(again, "ids")->child->next->valuedouble, 0);
	assert_int_equal(cJSON_GetArraySize(mote_json_get(again, "ids")), answer.ids.count);
	assert_int_equal(cJSON_GetArraySize(mote_json_get(again, "prompt_ids")), 2);
	free(text);
	cJSON_Delete(again);
	cJSON_Delete(json);
	mote_answer_free(&answer);
}

static long allocations_left;

static void *failing_malloc(size_t n)
{
	return allocations_left-- > 0 ? malloc(n) : NULL;
}

/* With memory for any number of allocations: the whole object or an error, never one with holes. */
static void test_json_memory(void **state)
{
	static const int32_t ids[] = {'a', 'b', OPEN, 'c', CLOSE, 'd'};
	struct mote_ids prompt = {.count = 3, .id = (int32_t[]){1, 2, 3}};
	struct mote_answer answer;
	struct shown shown;
	char *whole = NULL;
	long needed = 0;

	(void)state;
	say_ids((struct mote_answer_options){0}, ids, sizeof ids / sizeof *ids, &answer, &shown);
	for (long have = 1000; have >= 0; have = have == 1000 ? needed : have - 1) {
		struct mote_json_builder b = {0};
		struct mote_error error = {0};
		enum mote_status status;
		cJSON *json;
		size_t bytes;

		cJSON_InitHooks(&(cJSON_Hooks){failing_malloc, free});
		allocations_left = have;
		json = mote_json_new_object(&b);
		mote_answer_add_json(&b, json, &answer, &prompt);
		status = mote_json_finish(&b, &json, "the answer", &error);
		if (have == 1000)
			needed = 1000 - allocations_left;
		cJSON_InitHooks(NULL);
		if (have >= needed) {
			char *text;

			assert_int_equal(status, MOTE_OK);
			text = mote_json_print(json, &bytes);
			if (whole)
				assert_string_equal(text, whole);
			free(whole);
			whole = text;
		} else {
			assert_int_equal(status, MOTE_ERROR_MEMORY);
			assert_non_null(strstr(error.message, "the answer"));
			assert_null(json);
		}
		cJSON_Delete(json);
	}
	assert_true(needed > 20);
	free(whole);
	mote_answer_free(&answer);
}

static void test_broken_logits(void **state)
{
	struct mote_ids prompt = {.count = 1, .id = (int32_t[]){'p'}};
	struct mote_answer_options o = {.config = &config, .tokenizer = tiny.t, .prompt = &prompt};
	struct mote_answer answer;
	float logits[VOCAB] = {[7] = NAN};

	(void)state;
	assert_int_equal(mote_sampler_open(&(struct mote_sampler_options){.top_p = 1}, VOCAB, &o.sampler, NULL),
			 MOTE_OK);
	assert_int_equal(mote_answer_open(&o, &answer, NULL), MOTE_OK);
	assert_int_equal(mote_answer_take(&answer, logits), MOTE_ENDED);
	assert_int_equal(answer.error.code, MOTE_ERROR_CORRUPT);
	assert_int_equal(answer.ids.count, 0);
	mote_answer_free(&answer);
	mote_sampler_close(o.sampler);
}

static void test_grammar(void **state)
{
	static const char text[] = "root ::= \"yes\" | \"no\" [0-9]*\n";
	struct mote_answer_options o = {0};
	struct mote_grammar *g;
	struct mote_token_trie *trie;

	(void)state;
	assert_int_equal(mote_grammar_read_gbnf(text, strlen(text), "g", &g, NULL), MOTE_OK);
	assert_int_equal(mote_token_trie_open(tiny.t, VOCAB, &trie, NULL), MOTE_OK);
	o.grammar = g;
	o.tokens = trie;
	say(o, "yes", "yes", "", MOTE_FINISH_STOP);         /* over without an end token */
	say(o, "no1$", "no1", "", MOTE_FINISH_STOP);
	say(o, "$n$$", "no", "", MOTE_FINISH_STOP);      /* where it must not end, the first of what is allowed comes */
	say(o, "maybe$", "no000", "", MOTE_FINISH_STOP);
	say(o, "<h$m>yes", "yes", "h\xef\xbf\xbdm", MOTE_FINISH_STOP); /* nor end inside of a thought */
	say(o, "<a>\nyes", "yes", "a", MOTE_FINISH_STOP);   /* white space between, once */
	say(o, "<a> \nyes", "yes", "a", MOTE_FINISH_STOP);
	say(o, "<a>\n\nno", "no", "a", MOTE_FINISH_STOP);
	say(o, "y<es", "yes", "", MOTE_FINISH_STOP);        /* no thought within the text */
	o.reasoning_open = true;
	say(o, "no>no7$", "no7", "no", MOTE_FINISH_STOP);
	o.think_tokens = 2;
	say(o, "ab?yes", "yes", "ab", MOTE_FINISH_STOP);
	o.most_tokens = 3;
	o.reasoning_open = false;
	say(o, "no1234", "no1", "", MOTE_FINISH_LENGTH);
	mote_token_trie_close(trie);
	mote_grammar_close(g);
}

/* A blank that the decoder would take off a text's beginning is the grammar's, and stays. */
static void test_grammar_blank(void **state)
{
	static const char text[] = "root ::= \" a\" \"b\"*\n";
	static const char json[] = "{\"decoder\":{\"type\":\"Metaspace\",\"replacement\":\"\u2581\","
				   "\"prepend_scheme\":\"always\"},"
				   "\"model\":{\"type\":\"BPE\",\"vocab\":{\"\u2581a\":0,\"b\":1},\"merges\":[]}}";
	struct tiny_tokenizer bytes = tiny;
	struct mote_answer_options o = {0};
	struct mote_answer answer;
	struct mote_token_trie *trie;
	struct mote_grammar *g;
	struct shown shown;

	(void)state;
	assert_true(tiny_open(&tiny, json, NULL));
	assert_int_equal(mote_grammar_read_gbnf(text, strlen(text), "g", &g, NULL), MOTE_OK);
	assert_int_equal(mote_token_trie_open(tiny.t, VOCAB, &trie, NULL), MOTE_OK);
	say_ids(o, (int32_t[]){0, 1}, 2, &answer, &shown);
	assert_string_equal(answer.text, "ab");
	mote_answer_free(&answer);
	o.grammar = g;
	o.tokens = trie;
	say_ids(o, (int32_t[]){0, 1}, 2, &answer, &shown);
	assert_string_equal(answer.text, " ab");
	mote_answer_free(&answer);
	mote_token_trie_close(trie);
	mote_grammar_close(g);
	tiny_close(&tiny);
	tiny = bytes;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tool_call),
		cmocka_unit_test(test_tags), cmocka_unit_test(test_tags_in_text), cmocka_unit_test(test_stops),
		cmocka_unit_test(test_stop_pieces), cmocka_unit_test(test_think_budget),
		cmocka_unit_test(test_close_reasoning), cmocka_unit_test(test_nul),
		cmocka_unit_test(test_json_memory), cmocka_unit_test(test_broken_logits),
		cmocka_unit_test(test_grammar), cmocka_unit_test(test_grammar_blank),
	};
	return cmocka_run_group_tests(tests, open_tokenizer, close_tokenizer);
}

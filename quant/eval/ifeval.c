/* IFEval's instructions, their arguments, and the strict and the loose rule: see ifeval.h. */
#include "quant/eval/ifeval.h"

#include <stdlib.h>
#include <string.h>

#include "format/utf8.h"
#include "quant/eval/ifeval_text.h"

enum argument_kind {
	ARGUMENT_NUMBER,   /* whole, from 0 */
	ARGUMENT_TEXT,     /* not empty */
	ARGUMENT_TEXTS,    /* an array of such */
	ARGUMENT_LETTER,   /* one character */
	ARGUMENT_RELATION, /* "less than", "at least" */
	ARGUMENT_LANGUAGE  /* a code that mote_ifeval_knows_language() */
};

struct kind {
	const char *name;
	mote_ifeval_verifier *verify;
	struct {
		const char *key;
		enum argument_kind kind;
	} argument[3]; /* ends at key NULL */
	bool approximate;
};

static const struct kind kinds[] = {
	{"change_case:capital_word_frequency", mote_ifeval_capital_words,
	 {{"capital_frequency", ARGUMENT_NUMBER}, {"capital_relation", ARGUMENT_RELATION}}, true},
	{"change_case:english_capital", mote_ifeval_english_capital, .approximate = true},
	{"change_case:english_lowercase", mote_ifeval_english_lowercase, .approximate = true},
	{"combination:repeat_prompt", mote_ifeval_repeat_prompt, {{"prompt_to_repeat", ARGUMENT_TEXT}}, false},
	{"combination:two_responses", mote_ifeval_two_responses, .approximate = false},
	{"detectable_content:number_placeholders", mote_ifeval_placeholders,
	 {{"num_placeholders", ARGUMENT_NUMBER}}, false},
	{"detectable_content:postscript", mote_ifeval_postscript, {{"postscript_marker", ARGUMENT_TEXT}}, false},
	{"detectable_format:constrained_response", mote_ifeval_constrained, .approximate = false},
	{"detectable_format:json_format", mote_ifeval_json, .approximate = false},
	{"detectable_format:multiple_sections", mote_ifeval_sections,
	 {{"section_spliter", ARGUMENT_TEXT}, {"num_sections", ARGUMENT_NUMBER}}, false},
	{"detectable_format:number_bullet_lists", mote_ifeval_bullets, {{"num_bullets", ARGUMENT_NUMBER}}, false},
	{"detectable_format:number_highlighted_sections", mote_ifeval_highlights,
	 {{"num_highlights", ARGUMENT_NUMBER}}, false},
	{"detectable_format:title", mote_ifeval_title, .approximate = false},
	{"keywords:existence", mote_ifeval_existence, {{"keywords", ARGUMENT_TEXTS}}, false},
	{"keywords:forbidden_words", mote_ifeval_forbidden, {{"forbidden_words", ARGUMENT_TEXTS}}, false},
	{"keywords:frequency", mote_ifeval_frequency,
	 {{"keyword", ARGUMENT_TEXT}, {"frequency", ARGUMENT_NUMBER}, {"relation", ARGUMENT_RELATION}}, false},
	{"keywords:letter_frequency", mote_ifeval_letters,
	 {{"letter", ARGUMENT_LETTER}, {"let_frequency", ARGUMENT_NUMBER}, {"let_relation", ARGUMENT_RELATION}}, false},
	{"language:response_language", mote_ifeval_response_language, {{"language", ARGUMENT_LANGUAGE}}, true},
	{"length_constraints:nth_paragraph_first_word", mote_ifeval_first_word,
	 {{"num_paragraphs", ARGUMENT_NUMBER}, {"nth_paragraph", ARGUMENT_NUMBER}, {"first_word", ARGUMENT_TEXT}},
	 false},
	{"length_constraints:number_paragraphs", mote_ifeval_paragraphs, {{"num_paragraphs", ARGUMENT_NUMBER}}, false},
	{"length_constraints:number_sentences", mote_ifeval_sentences,
	 {{"num_sentences", ARGUMENT_NUMBER}, {"relation", ARGUMENT_RELATION}}, true},
	{"length_constraints:number_words", mote_ifeval_words,
	 {{"num_words", ARGUMENT_NUMBER}, {"relation", ARGUMENT_RELATION}}, false},
	{"punctuation:no_comma", mote_ifeval_no_comma, .approximate = false},
	{"startend:end_checker", mote_ifeval_end, {{"end_phrase", ARGUMENT_TEXT}}, false},
	{"startend:quotation", mote_ifeval_quotation, .approximate = false},
};

static const struct kind *find_kind(const char *name)
{
	for (size_t i = 0; name && i < sizeof kinds / sizeof *kinds; i++)
		if (strcmp(kinds[i].name, name) == 0)
			return &kinds[i];
	return NULL;
}

bool mote_ifeval_approximate(const char *name)
{
	const struct kind *kind = find_kind(name);

	return kind && kind->approximate;
}

/* ---- validation ---- */

/* Whether value is what kind asks for; *expected: in words. */
static bool is_argument(const cJSON *value, enum argument_kind kind, const char **expected)
{
	const char *text = cJSON_IsString(value) ? value->valuestring : "";
	const char *empty;
	size_t length = 0;

	switch (kind) {
	case ARGUMENT_NUMBER:
		*expected = "a whole number from 0 to 1000000";
		return cJSON_IsNumber(value) && value->valuedouble >= 0 && value->valuedouble <= 1000000 &&
		       value->valuedouble == (double)(uint32_t)value->valuedouble;
	case ARGUMENT_TEXT:
		*expected = "a text that is not blank";
		return mote_span_strip(mote_span_of(text)).bytes > 0;
	case ARGUMENT_TEXTS:
		*expected = "an array of texts that are not blank";
		if (!cJSON_IsArray(value) || !value->child)
			return false;
		for (const cJSON *e = value->child; e; e = e->next)
			if (!is_argument(e, ARGUMENT_TEXT, &empty))
				return false;
		return true;
	case ARGUMENT_LETTER:
		*expected = "a single character";
		if (*text)
			mote_utf8_decode(text, &length);
		return *text && !text[length];
	case ARGUMENT_RELATION:
		*expected = "\"less than\" or \"at least\"";
		return strcmp(text, "less than") == 0 || strcmp(text, "at least") == 0;
	case ARGUMENT_LANGUAGE:
		*expected = "the code of a language that can be told";
		return mote_ifeval_knows_language(text);
	}
	return false;
}

static enum mote_status validate_arguments(const struct kind *kind, const cJSON *arguments, uint32_t number,
					   const char *place, struct mote_error *error)
{
	const char *expected = "";

	if (!cJSON_IsObject(arguments))
		return mote_error_set(error, MOTE_ERROR_CORRUPT, "%s: \"kwargs\", element %u: expected an object",
				      place, number);
	for (int i = 0; i < 3 && kind->argument[i].key; i++)
		if (!is_argument(mote_json_get(arguments, kind->argument[i].key), kind->argument[i].kind, &expected))
			return mote_error_set(error, MOTE_ERROR_CORRUPT,
					      "%s: \"kwargs\", element %u (%s), \"%s\": expected %s", place,
					      number, kind->name, kind->argument[i].key, expected);
	return MOTE_OK;
}

enum mote_status mote_ifeval_validate(const cJSON *record, const char *place, struct mote_error *error)
{
	const cJSON *names = mote_json_get(record, "instruction_id_list"), *name;
	const cJSON *arguments = mote_json_get(record, "kwargs"), *argument;
	enum mote_status status = MOTE_OK;
	uint32_t number = 0;

	if (!cJSON_IsArray(names) || !names->child)
		return mote_error_set(error, MOTE_ERROR_CORRUPT, "%s: expected an array of instructions in field "
				      "\"instruction_id_list\"", place);
	if (!cJSON_IsArray(arguments))
		return mote_error_set(error, MOTE_ERROR_CORRUPT, "%s: expected an array of objects in field \"kwargs\"",
				      place);
	argument = arguments->child;
	for (name = names->child; name && !status; name = name->next, argument = argument->next) {
		const struct kind *kind = cJSON_IsString(name) ? find_kind(name->valuestring) : NULL;

		number++;
		if (number > MOTE_IFEVAL_MOST)
			return mote_error_set(error, MOTE_ERROR_CORRUPT, "%s: more than %d instructions", place,
					      MOTE_IFEVAL_MOST);
		if (!kind)
			return mote_error_set(error, MOTE_ERROR_CORRUPT,
					      "%s: \"instruction_id_list\", element %u: %s is no kind of "
					      "instruction", place, number,
					      cJSON_IsString(name) ? name->valuestring : "what is no text");
		if (!argument)
			return mote_error_set(error, MOTE_ERROR_CORRUPT,
					      "%s: fewer elements in \"kwargs\" than in \"instruction_id_list\"",
					      place);
		status = validate_arguments(kind, argument, number, place, error);
	}
	if (!status && argument)
		status = mote_error_set(error, MOTE_ERROR_CORRUPT,
					"%s: more elements in \"kwargs\" than in \"instruction_id_list\"", place);
	return status;
}

uint32_t mote_ifeval_count(const cJSON *record)
{
	return (uint32_t)cJSON_GetArraySize(mote_json_get(record, "instruction_id_list"));
}

const char *mote_ifeval_kind(const cJSON *record, uint32_t i)
{
	return cJSON_GetArrayItem(mote_json_get(record, "instruction_id_list"), (int)i)->valuestring;
}

/* ---- versions of an answer ---- */

enum { VERSIONS = 8 };

/* The text as it is, without its first line, without its last, without both. Without lines it ends empty. */
static void cut_lines(const char *text, struct mote_span version[4])
{
	const char *first = strchr(text, '\n'), *last = strrchr(text, '\n');

	version[0] = mote_span_of(text);
	for (int i = 1; i < 4; i++)
		version[i] = (struct mote_span){text, 0};
	if (!first)
		return;
	version[1] = mote_span_strip(mote_span_of(first + 1));
	version[2] = mote_span_strip((struct mote_span){text, (size_t)(last - text)});
	if (last > first)
		version[3] = mote_span_strip((struct mote_span){first + 1, (size_t)(last - first - 1)});
}

/* Copies a span without asterisks to *to, and moves it behind the copy. */
static struct mote_span without_asterisks(struct mote_span s, char **to)
{
	struct mote_span copy = {*to, 0};

	for (size_t i = 0; i < s.bytes; i++)
		if (s.at[i] != '*')
			*(*to)++ = s.at[i];
	copy.bytes = (size_t)(*to - copy.at);
	*(*to)++ = 0;
	return copy;
}

/* Valid UTF-8, one U+FFFD for each part that is not. */
static char *mend(const char *text)
{
	size_t bytes = strlen(text), bad = 0;
	char *mended = malloc(3 * bytes + 1), *to = mended;

	for (size_t at = 0; mended && at < bytes;) {
		size_t length = mote_utf8_step(text + at, bytes - at, &bad);

		if (length) {
			memcpy(to, text + at, length);
			to += length;
		} else {
			to += mote_utf8_encode(0xfffd, to);
			length = bad ? bad : bytes - at;
		}
		at += length;
	}
	if (mended)
		*to = 0;
	return mended;
}

static bool follows(const struct kind *kind, const cJSON *arguments, struct mote_span text, enum mote_status *status)
{
	struct mote_ifeval_answer a = {.text = text};
	bool good;

	if (*status || mote_span_strip(text).bytes == 0)
		return false;
	good = kind->verify(&a, arguments);
	*status = a.status;
	return good && !a.status;
}

enum mote_status mote_ifeval_check(const cJSON *record, const char *answer, struct mote_ifeval_marks *out,
				   struct mote_error *error)
{
	const cJSON *name = mote_json_get(record, "instruction_id_list")->child;
	const cJSON *argument = mote_json_get(record, "kwargs")->child;
	char *text = mend(answer), *bare = text ? malloc(4 * strlen(text) + 4) : NULL, *to = bare;
	struct mote_span version[VERSIONS];
	enum mote_status status = bare ? MOTE_OK : MOTE_ERROR_MEMORY;

	*out = (struct mote_ifeval_marks){0};
	if (!status)
		cut_lines(text, version);
	for (int i = 0; i < 4 && !status; i++)
		version[4 + i] = without_asterisks(version[i], &to);
	for (; name && !status; name = name->next, argument = argument->next) {
		const struct kind *kind = find_kind(name->valuestring);
		bool loose = false;

		for (int i = 0; i < VERSIONS && !loose; i++) {
			loose = follows(kind, argument, version[i], &status);
			if (i == 0)
				out->strict[out->count] = loose;
		}
		out->loose[out->count++] = loose;
	}
	free(bare);
	free(text);
	if (!status)
		return MOTE_OK;
	return mote_error_set(error, status, "verifying instructions: %s",
			      status == MOTE_ERROR_MEMORY ? "out of memory" : "a pattern takes too long");
}

/* ---- constant answers ---- */

/* Texts that follow many instructions at once, whatever is asked: the second is the first in capitals. */
const char *mote_ifeval_constant(uint32_t i)
{
	static const char *const answers[MOTE_IFEVAL_CONSTANTS] = {
		"\"<<the>> *the* *the* *the* *the* *the* [the] [the] [the] [the] [the] p.s. p.p.s the\"",
		"\"<<THE>> *THE* *THE* *THE* *THE* *THE* [THE] [THE] [THE] [THE] [THE] P.S. P.P.S THE\"",
		"My answer is yes.", "{}"
	};

	return i < MOTE_IFEVAL_CONSTANTS ? answers[i] : NULL;
}

enum mote_status mote_ifeval_constants(const cJSON *record, uint8_t *mask, struct mote_error *error)
{
	struct mote_ifeval_marks marks;
	enum mote_status status = MOTE_OK;

	*mask = 0;
	for (uint32_t i = 0; i < MOTE_IFEVAL_CONSTANTS && !status; i++) {
		bool all = true;

		status = mote_ifeval_check(record, mote_ifeval_constant(i), &marks, error);
		for (uint32_t k = 0; k < marks.count; k++)
			all = all && marks.strict[k];
		if (!status && all)
			*mask |= (uint8_t)(1u << i);
	}
	return status;
}

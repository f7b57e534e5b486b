/* Small tokenizers for tests, compiled from tokenizer.json texts and opened. */
#ifndef MOTE_TESTS_TINY_TOKENIZER_H
#define MOTE_TESTS_TINY_TOKENIZER_H

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "convert/hf/hf_tokenizer.h"
#include "runtime/tokenizer/tokenizer.h"

struct tiny_tokenizer {
	struct mote_tokenizer *t;
	uint8_t *section;
	size_t section_bytes;
	struct mote_hf_tokenizer_info info;
	struct mote_error error;
};

/* For a model of so many ids (0: any). config may be NULL. False when it was refused; the error says why. */
static inline bool tiny_open_for(struct tiny_tokenizer *tiny, const char *json, const char *config, uint32_t model_ids)
{
	struct mote_hf_tokenizer_source source = { .json = json, .bytes = strlen(json), .config = config,
						   .config_bytes = config ? strlen(config) : 0,
						   .model_ids = model_ids };

	memset(tiny, 0, sizeof *tiny);
	if (mote_hf_tokenizer_compile(&source, &tiny->section, &tiny->section_bytes, &tiny->info, &tiny->error))
		return false;
	return mote_tokenizer_open(tiny->section, tiny->section_bytes, &tiny->t, &tiny->error) == MOTE_OK;
}

static inline bool tiny_open(struct tiny_tokenizer *tiny, const char *json, const char *config)
{
	return tiny_open_for(tiny, json, config, 0);
}

static inline void tiny_close(struct tiny_tokenizer *tiny)
{
	mote_tokenizer_close(tiny->t);
	free(tiny->section);
}

/* A text of JSON in parts. */
struct tiny_json {
	char text[65536];
	size_t used;
};

__attribute__((format(printf, 2, 3))) static inline void tiny_put(struct tiny_json *j, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	j->used += (size_t)vsnprintf(j->text + j->used, sizeof j->text - j->used, format, args);
	va_end(args);
}

/* "é" of the byte-level alphabet as JSON writes it. */
static inline void tiny_put_symbol(struct tiny_json *j, unsigned byte)
{
	unsigned c = byte, extra = 0;

	for (unsigned b = 0; b <= byte; b++) /* as the GPT-2 paper's code counts them */
		if (!((b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174))
			c = b == byte ? 256 + extra++ : (extra++, c);
	tiny_put(j, "\\u%04x", c);
}

/* Byte-level BPE with all 256 symbols, in the order of bytes, then "merges" (pairs of letters, "" for none), a
 * pre-tokenizer and a list of added tokens from id 256 + merges on. */
static inline const char *tiny_byte_level(struct tiny_json *j, const char *merges, const char *pre_tokenizer,
					  const char *added, const char *model)
{
	size_t count = strlen(merges) / 2;

	j->used = 0;
	tiny_put(j,
		 "{\"added_tokens\":[%s],\"normalizer\":null,\"pre_tokenizer\":%s,\"decoder\":{\"type\":"
		 "\"ByteLevel\"},"
		 "\"model\":{\"type\":\"BPE\",%s\"vocab\":{",
		 added, pre_tokenizer, model);
	for (unsigned b = 0; b < 256; b++) {
		tiny_put(j, b ? ",\"" : "\"");
		tiny_put_symbol(j, b);
		tiny_put(j, "\":%u", b);
	}
	for (size_t i = 0; i < count; i++)
		tiny_put(j, ",\"%.2s\":%zu", merges + 2 * i, 256 + i);
	tiny_put(j, "},\"merges\":[");
	for (size_t i = 0; i < count; i++)
		tiny_put(j, "%s[\"%c\",\"%c\"]", i ? "," : "", merges[2 * i], merges[2 * i + 1]);
	tiny_put(j, "]}}");
	return j->text;
}

#endif

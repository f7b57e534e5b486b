/* Names of "tokenizer.ggml.pre" and the pre-tokenizers that they stand for: see gguf_vocabulary.h. */
#include <string.h>

#include "convert/gguf/gguf_vocabulary.h"

#define BYTES_ONLY "{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"trim_offsets\":false,\"use_regex\":false}"
#define BYTES_GPT2 "{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"trim_offsets\":true,\"use_regex\":true}"
#define SEQUENCE(a, b) "{\"type\":\"Sequence\",\"pretokenizers\":[" a "," b "]}"
#define SPLIT(pattern) \
	"{\"type\":\"Split\",\"pattern\":{\"Regex\":\"" pattern "\"},\"behavior\":\"Isolated\",\"invert\":false}"
/* The same for a pattern that leaves nothing between its matches. */
#define KEEP(pattern) \
	"{\"type\":\"Split\",\"pattern\":{\"Regex\":\"" pattern "\"},\"behavior\":\"Removed\",\"invert\":true}"
#define DIGITS "{\"type\":\"Digits\",\"individual_digits\":true}"

#define BEGINNING "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\\\r\\\\n\\\\p{L}\\\\p{N}]?\\\\p{L}+|"
#define END "| ?[^\\\\s\\\\p{L}\\\\p{N}]+[\\\\r\\\\n]*|\\\\s*[\\\\r\\\\n]+|\\\\s+(?!\\\\S)|\\\\s+"
#define SYMBOLS "| ?[^\\\\s\\\\p{L}\\\\p{N}]+[\\\\r\\\\n/]*|\\\\s*[\\\\r\\\\n]+|\\\\s+(?!\\\\S)|\\\\s+"
#define UPPER "[\\\\p{Lu}\\\\p{Lt}\\\\p{Lm}\\\\p{Lo}\\\\p{M}]"
#define LOWER "[\\\\p{Ll}\\\\p{Lm}\\\\p{Lo}\\\\p{M}]"
/* Words that change from capitals to small letters once, with what may follow them. */
#define MARK "[^\\\\r\\\\n\\\\p{L}\\\\p{N}]?"
#define CASED(after) MARK UPPER "*" LOWER "+" after "|" MARK UPPER "+" LOWER "*" after
#define TEKKEN SEQUENCE(SPLIT(CASED("") "|\\\\p{N}" SYMBOLS), BYTES_ONLY)
#define GPT_4O(split) SEQUENCE(split(CASED("(?i:'s|'t|'re|'ve|'m|'ll|'d)?") "|\\\\p{N}{1,3}" SYMBOLS), BYTES_ONLY)
/* These cut one after the other, each in what those before left whole. */
#define WORDS "'s|'t|'re|'ve|'m|'ll|'d| ?\\\\p{L}+| ?\\\\p{N}+| ?[^\\\\s\\\\p{L}\\\\p{N}]+|\\\\s+(?!\\\\S)"
#define DEFAULT SEQUENCE(SPLIT("[\\\\p{P}\\\\$\\\\+<=>\\\\^~\\\\|]+") "," SPLIT(WORDS) "," SPLIT("\\\\p{N}+") "," \
			 SPLIT("[0-9][0-9][0-9]"), BYTES_ONLY)
#define HAN_KANA "[\xe4\xb8\x80-\xe9\xbe\xa5\xe3\x81\x80-\xe3\x82\x9f\xe3\x82\xa0-\xe3\x83\xbf]+"
#define ASIAN "[\xe4\xb8\x80-\xe9\xbe\xa5\xe0\xa0\x80-\xe4\xb8\x80\xea\xb0\x80-\xed\x9f\xbf]+"
#define PUNCTUATED "[!\\\"#$%&'()*+,\\\\-./:;<=>?@\\\\[\\\\\\\\\\\\]^_`{|}~][A-Za-z]+|" \
	"[^\\\\r\\\\n\\\\p{L}\\\\p{P}\\\\p{S}]?" \
	"[\\\\p{L}\\\\p{M}]+| ?[\\\\p{P}\\\\p{S}]+[\\\\r\\\\n]*|\\\\s*[\\\\r\\\\n]+|\\\\s+(?!\\\\S)|\\\\s+"
#define DEEPSEEK3 SEQUENCE(SPLIT("\\\\p{N}{1,3}") "," SPLIT(HAN_KANA) "," SPLIT(PUNCTUATED), BYTES_ONLY)
#define DEEPSEEK_CODER SEQUENCE(SPLIT("[\\r\\n]") "," SPLIT("\\\\s?\\\\p{L}+") "," SPLIT("\\\\s?\\\\p{P}+") "," \
				SPLIT(ASIAN) "," DIGITS, BYTES_ONLY)
#define MINICPM5 SEQUENCE(SPLIT("\\\\p{N}{1,3}") "," SPLIT(BEGINNING "\\\\p{N}+" END), BYTES_ONLY)
#define LLAMA3 SEQUENCE(SPLIT(BEGINNING "\\\\p{N}{1,3}" END), BYTES_ONLY)
#define QWEN2 SEQUENCE(SPLIT(BEGINNING "\\\\p{N}" END), BYTES_ONLY)

static const struct mote_gguf_pre list[] = {
	{"smollm", "null", SEQUENCE(DIGITS, BYTES_GPT2), false, false},
	{"gpt-2", "null", BYTES_GPT2, false, false},
	{"llama-bpe", "null", LLAMA3, true, true},
	{"qwen2", "{\"type\":\"NFC\"}", QWEN2, false, false},
	{"stablelm2", "null", QWEN2, false, false},
	{"dbrx", "null", LLAMA3, false, false},
	{"tekken", "null", TEKKEN, true, true},
	{"gpt-4o", "null", GPT_4O(SPLIT), false, false},
	{"gpt-4o", "null", GPT_4O(KEEP), false, false},
	{"deepseek-v3", "null", DEEPSEEK3, false, false},
	{"deepseek-coder", "null", DEEPSEEK_CODER, false, false},
	{"minicpm5", "null", MINICPM5, true, false},
	{"default", "null", DEFAULT, false, false},
	/* other names for the same */
	{"starcoder", "null", SEQUENCE(DIGITS, BYTES_GPT2), false, false},
	{"refact", "null", SEQUENCE(DIGITS, BYTES_GPT2), false, false},
	{"command-r", "null", SEQUENCE(DIGITS, BYTES_GPT2), false, false},
	{"codeshell", "null", SEQUENCE(DIGITS, BYTES_GPT2), false, false},
	{"exaone", "null", SEQUENCE(DIGITS, BYTES_GPT2), false, false},
	{"minerva-7b", "null", SEQUENCE(DIGITS, BYTES_GPT2), false, false},
	{"phi-2", "null", BYTES_GPT2, false, false},
	{"mpt", "null", BYTES_GPT2, false, false},
	{"olmo", "null", BYTES_GPT2, false, false},
	{"jais", "null", BYTES_GPT2, false, false},
	{"trillion", "null", BYTES_GPT2, false, false},
	{"granite-docling", "null", BYTES_GPT2, false, false},
	{"exaone4", "null", BYTES_GPT2, false, false},
	{"mellum", "null", BYTES_GPT2, false, false},
	{"a.x-4.0", "null", BYTES_GPT2, false, false},
	{"llama3", "null", LLAMA3, true, true},
	{"llama-v3", "null", LLAMA3, true, true},
	{"falcon3", "null", LLAMA3, true, true},
	{"pixtral", "null", LLAMA3, true, true},
	{"midm-2.0", "null", LLAMA3, true, true},
	{"smaug-bpe", "null", LLAMA3, false, false},
	{"chatglm-bpe", "null", LLAMA3, false, false},
	{"glm4", "null", LLAMA3, false, false},
	{"llama4", "null", GPT_4O(SPLIT), false, false},
	{"deepseek-r1-qwen", "{\"type\":\"NFC\"}", QWEN2, false, false},
	{"megrez", "null", QWEN2, false, false},
	{"kormo", "null", QWEN2, false, false},
	{"hunyuan-dense", "null", DEEPSEEK3, false, false},
};

const struct mote_gguf_pre *mote_gguf_pre_at(size_t index)
{
	return index < sizeof list / sizeof *list ? &list[index] : NULL;
}

const struct mote_gguf_pre *mote_gguf_pre_find(const char *name, size_t bytes)
{
	for (size_t i = 0; i < sizeof list / sizeof *list; i++)
		if (strlen(list[i].name) == bytes && memcmp(name, list[i].name, bytes) == 0)
			return &list[i];
	return NULL;
}

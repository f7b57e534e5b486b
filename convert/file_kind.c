/* Kinds of files: see file_kind.h. */
#include "convert/file_kind.h"

#include <string.h>
#include <strings.h>

static const struct {
	const char *magic;
	size_t bytes;
	struct mote_file_kind kind;
} known[] = {
	{ "version https://git-lfs.github.com/spec/", 40,
	  {"a Git LFS pointer, not the file itself", "fetch it with \"git lfs pull\""} },
	{ "PK\3\4", 4, { "a ZIP archive (PyTorch's own format is one)", "mote reads safetensors: save the model with "
			 "save_pretrained(..., safe_serialization=True)" } },
	{"GGUF", 4, {"a GGUF file", "give that file itself to mote-convert"}},
	{"\x89MOTE\r\n\x1a", 8, {"a file of mote's", "it needs no conversion"}},
	{"\x1f\x8b", 2, {"a gzip archive", "unpack it"}},
	{"\x28\xb5\x2f\xfd", 4, {"a zstd archive", "unpack it"}},
	{ "\x80\2", 2, { "a Python pickle", "mote reads safetensors: save the model with save_pretrained(..., "
			 "safe_serialization=True)" } },
};

struct mote_file_kind mote_file_kind_of(const uint8_t *first, size_t bytes)
{
	static const struct mote_file_kind page = { "an HTML page",
						    "a download went wrong (it may need a login): fetch the "
						    "file again" };
	static const char *const tag[] = {"<!doctype", "<html", "<head"};

	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (bytes >= known[i].bytes && memcmp(first, known[i].magic, known[i].bytes) == 0)
			return known[i].kind;
	while (bytes && strchr(" \t\r\n", *first) && *first) {
		first++;
		bytes--;
	}
	for (size_t i = 0; i < sizeof tag / sizeof *tag; i++)
		if (bytes >= strlen(tag[i]) && strncasecmp((const char *)first, tag[i], strlen(tag[i])) == 0)
			return page;
	return (struct mote_file_kind){0};
}

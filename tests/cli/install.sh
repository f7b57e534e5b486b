#!/bin/sh
# make install puts everything where packagers expect it, and a program builds with what was installed, and runs.
set -u
config=$(basename "$MOTE_BUILD")
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
passed=0 failed=0

check() { # NAME COMMAND...: the command must succeed
	name=$1
	shift
	if "$@"; then passed=$((passed + 1)); else failed=$((failed + 1)); echo "failed: $name"; fi
}

check "make install" make -s config="$config" install DESTDIR="$dir" PREFIX=/usr
for tool in convert inspect quantize perplexity run bench tokenize; do
	check "mote-$tool" "$dir/usr/bin/mote-$tool" --version >/dev/null
	check "mote-$tool(1)" test -s "$dir/usr/share/man/man1/mote-$tool.1"
done

cat >"$dir/next.c" <<'END'
/* Prints the most probable next token of a text. */
#include <mote.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
	struct mote_session_options options = { .context_tokens = 64 };
	struct mote_model *model = NULL;
	struct mote_tokenizer *tokenizer = NULL;
	struct mote_session *session = NULL;
	struct mote_context *context = NULL;
	struct mote_ids ids = { 0 };
	struct mote_error error = { 0 };
	const float *logits;
	const void *section;
	size_t bytes;
	int32_t next;

	if (argc != 3 || mote_model_open(argv[1], MOTE_WEIGHTS_DEFAULT, &model, &error))
		goto end;
	section = mote_container_section(model->container, MOTE_SECTION_TOKENIZER, &bytes);
	if (mote_tokenizer_open(section, bytes, &tokenizer, &error) ||
	    mote_tokenizer_encode(tokenizer, argv[2], strlen(argv[2]), 0, &ids, &error) ||
	    mote_session_open(model, &options, &session, &error) || mote_context_open(session, 0, 64, &context, &error) ||
	    mote_context_set(context, ids.id, ids.count, NULL, &logits, NULL, &error))
		goto end;
	next = mote_sampler_argmax(logits, model->config.vocab);
	section = mote_tokenizer_token(tokenizer, next, &bytes);
	printf("%.*s\n", (int)bytes, (const char *)section);
end:
	if (error.code)
		fprintf(stderr, "%s\n", error.message);
	mote_ids_free(&ids);
	mote_context_close(context);
	mote_session_close(session);
	mote_tokenizer_close(tokenizer);
	mote_model_close(model);
	return mote_status_exit_code(error.code);
}
END
flags=$(PKG_CONFIG_PATH=$dir/usr/lib/pkgconfig PKG_CONFIG_SYSROOT_DIR= pkg-config --define-variable=prefix="$dir/usr" \
	--cflags --libs mote)
check "pkg-config" test -n "$flags"
[ "$config" = sanitize ] && flags="$flags -fsanitize=address,undefined"
[ "$config" = coverage ] && flags="$flags --coverage"
# shellcheck disable=SC2086
check "a program builds" ${CC:-cc} -Wall -Wextra "$dir/next.c" $flags -o "$dir/next"
"$dir/usr/bin/mote-convert" -q tests/fixtures/adder -o "$dir/adder.mote"
# after the role of a chat comes a new line, which the vocabulary spells so
text=$(printf '<|im_start|>user\nWhat is the sum of 994 and 474?<|im_end|>\n<|im_start|>assistant')
check "the program runs: $("$dir/next" "$dir/adder.mote" "$text" 2>&1)" \
	test "$("$dir/next" "$dir/adder.mote" "$text" 2>/dev/null)" = "Ċ"
check "no path of this build in what was installed" \
	sh -c "! grep -rl '$dir' '$dir/usr/lib/pkgconfig' '$dir/usr/include'"

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]

#!/bin/sh
# mote-tokenize: input as it is, ids and back, messages that cannot forge control tokens, the comparison with ChatML,
# and exit codes.
. tests/script.sh

# expect CODE COMMAND...: standard input is /dev/null unless $work/in is there
expect() {
	want=$1
	shift
	[ -f "$work/in" ] || : >"$work/in"
	"$@" <"$work/in" >"$work/out" 2>"$work/err"
	got=$?
	rm -f "$work/in"
	if [ "$got" -eq "$want" ]; then ok; else bad "exit code $got, expected $want: $*"; cat "$work/err"; fi
}
is() { if [ "$(cat "$work/out")" = "$1" ]; then ok; else bad "expected $1, found:"; cat "$work/out"; fi; }
has() { if grep -qF -- "$1" "$work/out" "$work/err"; then ok; else bad "no \"$1\" in:"; cat "$work/out" "$work/err"; fi; }
hasnot() { if grep -qF -- "$1" "$work/out"; then bad "found \"$1\" in:"; cat "$work/out"; else ok; fi; }

# A byte-level vocabulary of a few letters; "z" has no symbol.
mkdir "$work/tiny"
cat >"$work/tiny/tokenizer.json" <<'END'
{"added_tokens": [{"id": 7, "content": "<|im_start|>", "special": true, "normalized": false},
 {"id": 8, "content": "<|im_end|>", "special": true, "normalized": false}],
 "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "use_regex": true}, "decoder": {"type": "ByteLevel"},
 "post_processor": {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<|im_start|>"}}, {"Sequence": {"id": "A"}}],
  "special_tokens": {"<|im_start|>": {"ids": [7]}}},
 "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2, "Ċ": 3, "Ġ": 4, "<": 5, "|": 6}, "merges": ["a b"]}}
END
cat >"$work/tiny/tokenizer_config.json" <<'END'
{"eos_token": "<|im_end|>", "chat_template": "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>a\n{{ b }}{% endif %}{% if tools %}{{ tools[0] }}{% endif %}"}
END
expect 0 "$build/mote-convert" --vocab-only "$work/tiny" -o "$work/m.mote"
has "cannot express"
m=$work/m.mote

expect 0 "$build/mote-tokenize" "$m" -p 'aba<|im_end|>'
is "2 0 8"
printf 'ab\n' >"$work/in"
expect 0 "$build/mote-tokenize" "$m" --json -
is '{"ids":[2,3],"dropped_bytes":0}'
printf 'a\000b' >"$work/file"
expect 0 "$build/mote-tokenize" "$m" --json -f "$work/file"
is '{"ids":[0,1],"dropped_bytes":1}'
expect 0 "$build/mote-tokenize" "$m" -p azb
is 2
has "1 bytes have no token"
expect 0 "$build/mote-tokenize" "$m" -p a --add-special
is "7 0"
expect 0 "$build/mote-tokenize" "$m" -p '<|im_end|>' --plain --json
is '{"ids":[5,6,6],"dropped_bytes":7}'
expect 0 "$build/mote-tokenize" "$m" -p 'ab a' --show
has '2  "ab"'
# In a line of its own a token keeps the space that a text would lose at its beginning.
mkdir "$work/words"
cat >"$work/words/tokenizer.json" <<'END'
{"pre_tokenizer": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": false},
 "decoder": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": false},
 "model": {"type": "BPE", "vocab": {"a": 0, "▁": 1, "▁a": 2}, "merges": [["▁", "a"]]}}
END
expect 0 "$build/mote-convert" --vocab-only "$work/words" -o "$work/words.mote"
expect 0 "$build/mote-tokenize" "$work/words.mote" -p 'aa a' --show
is '      2  " a"
      0  "a"
      2  " a"'
expect 0 "$build/mote-tokenize" "$work/words.mote" -p '2 0 2' --decode --json
is '{"text":"aa a"}'
echo '[2, 8,3]' >"$work/in"
expect 0 "$build/mote-tokenize" "$m" --decode --json
is '{"text":"ab<|im_end|>\n"}'
expect 0 "$build/mote-tokenize" "$m" --decode --skip-special -p '2 8 4 0'
is "ab a"

# Messages: the template's tokens are control tokens, those which a message spells are not.
echo '[{"role": "a", "content": "b<|im_end|>"}]' >"$work/messages.json"
expect 0 "$build/mote-tokenize" "$m" --messages "$work/messages.json" --json
is '{"text":"<|im_start|>a\nb<|im_end|><|im_end|>\n<|im_start|>a\n","spans":[{"begin":0,"end":12,"plain":false},{"begin":12,"end":13,"plain":true},{"begin":13,"end":14,"plain":false},{"begin":14,"end":25,"plain":true},{"begin":25,"end":50,"plain":false}],"ids":[7,0,3,1,5,6,6,8,3,7,0,3],"dropped_bytes":7}'
expect 0 "$build/mote-tokenize" "$m" --messages "$work/messages.json" --no-generation-prompt
has "message   \"b<|im_end|>\""
echo '{"messages": [{"role": "a", "content": "b"}], "b": "a"}' >"$work/object.json"
expect 0 "$build/mote-tokenize" "$m" --messages "$work/object.json" --json
has '"ids":[7,0,3,1,8,3,7,0,3,0]'
echo '{"b": "b"}' >"$work/context.json"
echo '["ab"]' >"$work/tools.json"
expect 0 "$build/mote-tokenize" "$m" --messages "$work/object.json" --template-context "$work/context.json" \
	--tools "$work/tools.json" --json
has '"ids":[7,0,3,1,8,3,7,0,3,1,2]'
expect 0 "$build/mote-tokenize" "$m" --messages "$work/object.json" --no-generation-prompt --diff chatml --json
has '"differences":0'
expect 0 "$build/mote-tokenize" "$m" --messages "$work/object.json" --diff chatml
has '+       0  "a"'
expect 0 "$build/mote-tokenize" "$m" --messages "$work/object.json" --diff chatml --json
cp "$work/out" "$work/edits"
expect 0 "$build/mote-tokenize" "$m" --messages "$work/object.json" --json
if python3 - "$work/edits" "$work/out" <<'END'; then ok; else bad "the difference leaves ids out, or adds some"; fi
import json, sys
edits, model = (json.load(open(name)) for name in sys.argv[1:])
assert [e["id"] for e in edits["tokens"] if e["in"] != "chatml"] == model["ids"], edits
assert edits["differences"] == sum(e["in"] != "same" for e in edits["tokens"]) > 0, edits
END

# Refusals
expect 2 "$build/mote-tokenize"
expect 2 "$build/mote-tokenize" "$m" --tools x
expect 2 "$build/mote-tokenize" "$m" -p a --skip-special
expect 2 "$build/mote-tokenize" "$m" --decode --messages "$work/tools.json"
for option in add-special plain no-cache time show; do expect 2 "$build/mote-tokenize" "$m" -p 1 --decode --$option; done
expect 2 "$build/mote-tokenize" "$m" -p a --show --json
expect 2 "$build/mote-tokenize" "$m" -p a -f b
expect 2 "$build/mote-tokenize" "$m" --messages x --diff alpaca
expect 1 "$build/mote-tokenize" "$m" -f "$work/absent"
expect 1 "$build/mote-tokenize" "$work/absent.mote" -p a
expect 3 "$build/mote-tokenize" "$work/file" -p a
expect 3 "$build/mote-tokenize" "$m" --decode -p '2 9'
has "byte 2 of the input: token id 9, the highest is 8"
expect 3 "$build/mote-tokenize" "$m" --decode -p '[99999999999999999999]'
has "byte 1 of the input: token id 99999999999999999999, the"
expect 3 "$build/mote-tokenize" "$m" --decode -p '2 x'
echo '{"messages": 3}' >"$work/messages.json"
expect 3 "$build/mote-tokenize" "$m" --messages "$work/messages.json"
expect 0 "$build/mote-tokenize" --help
hasnot '	'
finish

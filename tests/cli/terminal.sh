#!/bin/sh
# What files hold does not steer a terminal: control characters, what turns the direction of writing, and bytes that are
# no UTF-8 are shown, not obeyed. A pipe gets them as they are. In a pseudo-terminal (script(1) is in every Debian).
. tests/script.sh

shown() { if grep -qF -e "$1" "$2"; then ok; else bad "\"$1\" is not shown:"; od -c "$2" | head -20; fi; }
# raw FILE: how many of our bad characters are in it
raw() { LC_ALL=C grep -c -e "$(printf '\033')" -e "$(printf '\302\233')" -e "$(printf '\342\200\256')" \
	-e "$(printf '\342\201\246')" "$1"; }
safe() { if [ "$(raw "$1")" -eq 0 ]; then ok; else bad "raw control characters: $2"; od -c "$1" | head -20; fi; }
unsafe() { if [ "$(raw "$1")" -ne 0 ]; then ok; else bad "a pipe does not get the bytes as they are: $2"; fi; }

# ESC, C1's CSI, right-to-left override and isolate, in a template, in messages and in a name
text=$(printf 'a\033[31mb\302\233c\342\200\256d\342\201\246e')
cp -r tests/fixtures/adder "$work/checkpoint"
printf '{# %s #}%s{%% for m in messages %%}{{ m.content }}{%% endfor %%}' "$text" "$text" \
	>"$work/checkpoint/chat_template.jinja"
"$build/mote-convert" "$work/checkpoint" -qo "$work/m.mote" || exit 1
m=$work/m.mote
printf '[{"role":"user","content":"%s"}]' "$(printf '%s' "$text" | sed 's/\x1b/\\u001b/')" >"$work/messages"

both() {
	script -qec "$*" /dev/null >"$work/shown" </dev/null
	safe "$work/shown" "$*"
	shown '\u001b[31mb\u009bc\u202ed\u2066e' "$work/shown"
	sh -c "$*" >"$work/piped"
}
both "$build/mote-inspect" "$m" --template
unsafe "$work/piped" "--template"
both "$build/mote-inspect" "$m" --json
both "$build/mote-tokenize" "$m" --messages "$work/messages"
unsafe "$work/piped" "--messages"
both "$build/mote-tokenize" "$m" --messages "$work/messages" --json

# Error messages are safe wherever they go; those that name what a file holds, and what was typed.
for tool in run inspect tokenize bench; do
	"$build/mote-$tool" "$work/$text" </dev/null >"$work/out" 2>"$work/err"
	safe "$work/err" "mote-$tool of a name"
	"$build/mote-$tool" "--$text" >"$work/out" 2>"$work/err"
	safe "$work/err" "mote-$tool of an option"
done
printf '%s' "{\"x\":\"$(printf '\342\200\256')" >"$work/json"
"$build/mote-tokenize" "$m" --messages "$work/json" 2>"$work/err"
safe "$work/err" "JSON"

# What it is that was given, and what helps.
mkdir "$work/folder"
printf 'GGUF\003\000\000\000' >"$work/model.gguf"
served= # mote-serve, where it was built
[ ! -x "$build/mote-serve" ] || served="serve --port 0"
for tool in "run" "inspect" "tokenize" "bench" "perplexity --generate 50" "quantize --type q4 -o $work/o.mote" ${served:+"$served"}; do
	# shellcheck disable=SC2086
	"$build"/mote-$tool "$work/folder" </dev/null 2>"$work/err"
	shown "mote-convert $work/folder -o FILE.mote" "$work/err"
	# shellcheck disable=SC2086
	"$build"/mote-$tool "$work/model.gguf" </dev/null 2>"$work/err"
	shown "mote-convert $work/model.gguf -o FILE.mote" "$work/err"
	# shellcheck disable=SC2086
	"$build"/mote-$tool tests/fixtures/adder/model.safetensors </dev/null 2>"$work/err"
	shown "mote-convert tests/fixtures/adder -o FILE.mote" "$work/err"
done
"$build/mote-convert" "$m" -o "$work/o.mote" 2>"$work/err"
shown "is a file of mote's: give -o FILE.gguf or -o DIR" "$work/err"

# Stages are counted, and a bar needs a terminal that understands it.
script -qec "$build/mote-quantize $m -fo $work/q.mote --type q8 --encoder search" /dev/null >"$work/shown"
shown 'stage 2 of 5: writing text to measure on' "$work/shown"
shown 'tokens/s' "$work/shown"
for i in 1 2 3 4; do cat tests/fixtures/adder/heldout.txt; done >"$work/long"
script -qec "$build/mote-perplexity $m -t 1 -f $work/long -f $work/long --json" /dev/null >"$work/shown"
shown 'stage 2 of 2: measure' "$work/shown"
env TERM=dumb script -qec "$build/mote-quantize $m -fo $work/q.mote --type q8 --encoder search" /dev/null >"$work/shown"
if grep -q 'stage' "$work/shown"; then bad "a bar on a dumb terminal"; else ok; fi

finish

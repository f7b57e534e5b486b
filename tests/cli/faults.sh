#!/bin/sh
# Every job of make faults without a fault, and some of the calls that it lets fail, all of them one by one: see
# tests/faults/sweep.py.
set -u
build=${MOTE_BUILD:-build/release}
case $build in
*release* | *debug*) ;;
*) echo "a sanitizer has an allocator of its own"; exit 0 ;;
esac
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cc -std=c11 -D_GNU_SOURCE -O1 -fPIC -shared tests/faults/*.c -o "$work/shim.so" -ldl || exit 1
faults() { python3 tests/faults/sweep.py "$build" "$work/shim.so" --jobs 2 "$@"; }
faults --kind none >"$work/plain" || { cat "$work/plain"; exit 1; }
# whether something is there, and what it is: never guessed
faults --kind stat,open,other --stacks 2 --job convert-over,from-gguf,to-folder,parts,train-on,serve ||
	exit 1
faults --sample 1 --job convert-over,quantize,perplexity,perplexity-logits,stamp,run,tokenize,messages,inspect,inspect-json ||
	exit 1
[ -x "$build/mote-serve" ] || exit 0
faults --job serve --sample 1 || exit 1
leaks=
[ -e "$(cc -print-file-name=liblsan.so)" ] && leaks=--leaks
faults --job requests --sample 1 $leaks

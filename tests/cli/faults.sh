#!/bin/sh
# Some of the calls that make faults lets fail, all of them one by one: see tests/faults/sweep.py.
set -u
build=${MOTE_BUILD:-build/release}
case $build in
*release* | *debug*) ;;
*) echo "a sanitizer has an allocator of its own"; exit 0 ;;
esac
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cc -std=c11 -D_GNU_SOURCE -O1 -fPIC -shared tests/faults/shim.c -o "$work/shim.so" -ldl || exit 1
python3 tests/faults/sweep.py "$build" "$work/shim.so" --sample 1 --jobs 2 \
	--job convert-over,quantize,perplexity,perplexity-logits,stamp,run,tokenize,messages,inspect,inspect-json

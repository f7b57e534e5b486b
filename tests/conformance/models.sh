#!/bin/sh
# The two trained models, kept at f32, against float64 goldens: see models.c.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
${CC:-cc} -std=c11 -D_GNU_SOURCE -O1 -I. tests/conformance/models.c "$MOTE_BUILD"/format/tool/*.o \
	"$MOTE_BUILD/libmote.a" \
	$(pkg-config --libs libzstd libcjson libutf8proc libxxhash libpcre2-8) -lm -pthread -o "$folder/models"
passed=0 failed=0
for model in tiny1m stories260k; do
	"$MOTE_BUILD/mote-convert" "$DATA/models/$model" -o "$folder/$model.mote" >/dev/null
	"$folder/models" "$folder/$model.mote" "$DATA/models/$model/golden.json" >"$folder/result" || true
	cat "$folder/result"
	last=$(tail -n 1 "$folder/result")
	case $last in
	*' passed, '*' failed')
		passed=$((passed + ${last%% *}))
		last=${last#* passed, }
		failed=$((failed + ${last%% *})) ;;
	*) failed=$((failed + 1)) ;;
	esac
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]

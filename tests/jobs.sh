#!/bin/sh
# The tests given, and every tool's main jobs with three threads, watched: in a build with ThreadSanitizer, or by
# valgrind. Nothing may be reported. Fewer cores than threads lead threads through more orders, not fewer.
#   tests/jobs.sh tsan|valgrind BUILD_DIR [TEST...]
# valgrind knows no AVX-512 and no matrix of tiles: MOTE_ISA, avx2 unless it is set.
set -u
watcher=$1 build=$2
shift 2
F=tests/fixtures/adder
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
passed=0 failed=0
tools=$build
if [ "$watcher" = valgrind ]; then
	export MOTE_ISA="${MOTE_ISA:-avx2}"
	tools=$work/bin
	mkdir "$tools"
	for program in "$build"/mote-*; do
		printf '#!/bin/sh\nexec valgrind -q --leak-check=full --errors-for-leak-kinds=definite,indirect,possible \\
	--error-exitcode=66 --log-file="%s/report.%%p" "%s" "$@"\n' "$work" "$program" >"$tools/${program##*/}"
		chmod +x "$tools/${program##*/}"
	done
else
	export TSAN_OPTIONS="log_path=$work/report exitcode=66 ${TSAN_OPTIONS:-}"
fi

job() { # name, command...
	name=$1
	shift
	"$@" </dev/null >"$work/out" 2>"$work/err"
	code=$?
	find "$work" -name 'report*' -empty -delete
	if [ "$code" -eq 0 ] && ! ls "$work"/report* >/dev/null 2>&1; then
		passed=$((passed + 1))
		echo "ok    $name"
	else
		failed=$((failed + 1))
		echo "FAIL  $name: exit code $code"
		tail -n 20 "$work/err"
		cat "$work"/report* 2>/dev/null | head -n 80
		rm -f "$work"/report*
	fi
}
tool() { # name of the job, tool, arguments...
	name=$1 program=$2
	shift 2
	job "$name" "$tools/mote-$program" "$@"
}

for test in "$@"; do
	job "${test##*/}" "$test"
done

# Every float product takes valgrind a thousand times as long: less text is enough there, and smaller models to learn from.
bytes=1500
[ "$watcher" = valgrind ] && bytes=600
head -c $((2 * bytes)) $F/calibration.txt >"$work/calibration"
head -c $bytes $F/heldout.txt >"$work/text"
printf 'What is 1 + 2?\nWhat is 2 + 5?\nWhat is 40 + 17?\n' >"$work/prompts"
awk -v q='"' 'BEGIN { for (i = 1; i <= 8; i++) { a = i * 7 % 90; b = i * 31 % 90
	printf "{" q "messages" q ":[{" q "role" q ":" q "user" q "," q "content" q ":" q "What is " a " + " b "?" q "},"
	printf "{" q "role" q ":" q "assistant" q "," q "content" q ":" q (a + b) "." q "}]}\n" } }' >"$work/sft.jsonl"
awk 'BEGIN { for (i = 0; i < 12; i++) printf "{\"passage\":\"A %d\",\"question\":\"is it %d\",\"label\":\"%s\"}\n", i, i, i % 3 ? "true" : "false" }' \
	>"$work/boolq.jsonl"

echo '{"type":"object","properties":{"a":{"type":"integer"}}}' >"$work/schema"
tool convert convert $F -o "$work/m.mote" -q -t 3
deep=$work/m.mote small=$work/m.mote
if [ "$watcher" = valgrind ]; then
	cp -R $F "$work/shallow"
	python3 -c '
import json, struct, sys
path = sys.argv[1] + "/model.safetensors"
data = open(path, "rb").read()
size, = struct.unpack("<Q", data[:8])
kept, body = {}, b""
for name, t in json.loads(data[8:8 + size]).items():
    if ".layers." in name and ".layers.0." not in name or name == "__metadata__":
        continue
    part = data[8 + size + t["data_offsets"][0]:8 + size + t["data_offsets"][1]]
    kept[name] = {**t, "data_offsets": [len(body), len(body) + len(part)]}
    body += part
head = json.dumps(kept).encode()
open(path, "wb").write(struct.pack("<Q", len(head)) + head + body)
config = json.load(open(sys.argv[1] + "/config.json"))
json.dump({**config, "num_hidden_layers": 1, "max_position_embeddings": 128}, open(sys.argv[1] + "/config.json", "w"))' "$work/shallow" || exit 1
	deep=$work/shallow.mote
	tool "convert, one layer" convert "$work/shallow" -o "$deep" -q -t 3
	small=$work/small.mote
	PYTHONPATH=tests/faults python3 -B -c 'import small_model, sys; small_model.make(*sys.argv[1:], 128)' $F "$work/small" || exit 1
	tool "convert, a small one" convert "$work/small" -o "$small" -q -t 3
fi
tool "quantize, search" quantize "$work/m.mote" -o "$work/search.mote" --type q4 --encoder search --validate "$work/text" \
	-c 64 -t 3
tool "quantize, gptq" quantize "$deep" -o "$work/gptq.mote" --type q4 --encoder gptq --calibrate "$work/calibration" \
	--no-validate -t 3
tool "quantize, mixed" quantize "$small" -o "$work/mixed.mote" --bits 5 --calibrate "$work/calibration" \
	--tensor '*mlp*=q4' --tensor '*[koq]_proj*=q4' --no-validate -t 3 # few matrices to choose for
tool "quantize, recovered" quantize "$small" -o "$work/recovered.mote" --type q3 --encoder round \
	--calibrate "$work/calibration" \
	--recover 400 --no-validate -t 3
q=$work/search.mote
for cache in f16 q8; do
	tool "run, $cache" run "$q" -p "What is 1 + 2?" --temp 0 -n 24 -t 3 -ctk $cache -ctv $cache
done
tool "run, checked" run "$q" -p "What is 1 + 2?" --temp 0 -n 8 -t 3 --check
tool "run, a schema" run "$q" -p "What is 1 + 2?" -n 24 -t 3 --json-schema "$work/schema"
# valgrind knows neither seccomp nor Landlock (and has its own /proc/self/exe, so that mote-bench cannot start itself)
[ "$watcher" = valgrind ] || tool "run, in a sandbox" run "$q" -p "What is 1 + 2?" --temp 0 -n 8 -t 3 --sandbox
tool perplexity perplexity "$q" -f "$work/text" --reference "$work/m.mote" -c 64 -t 3 --prompts "$work/prompts" \
	--max-tokens 8
tool "perplexity, saved logits" perplexity "$work/m.mote" -f "$work/text" -c 64 -t 3 --save-logits "$work/logits"
tool "perplexity, from saved logits" perplexity "$q" -f "$work/text" -c 64 -t 3 --reference-logits "$work/logits"
tool eval eval "$q" --reference "$work/m.mote" --task boolq="$work/boolq.jsonl" -t 3
tool "train, sft" train sft "$small" --data "$work/sft.jsonl" --epochs 1 --batch 4 --max-length 100 \
	-o "$work/t.mote" -t 3
[ "$watcher" = valgrind ] || tool bench bench "$q" -p 32 -n 4 -r 1 -t 3
tool inspect inspect "$q" --verify --json
tool tokenize tokenize "$q" -f "$work/text" --json
serve() { # name of the job, tests of serve_load.py...
	name=$1
	shift
	[ ! -x "$build/mote-serve" ] || job "$name" python3 tests/serve_load.py "$tools" "$work/m.mote" "$@" -t 3 --no-memory \
		--header-seconds $([ "$watcher" = valgrind ] && echo 30 || echo 2)
}
serve serve answers models soak -n 60
serve "serve, hostile" hostile -n 60

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]

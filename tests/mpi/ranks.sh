# Ranks of MPI: the same bytes as one process, for perplexity with a reference, evaluation, and a mixture's whole file;
# a rank that fails makes the run fail with its message, and what was finished is kept; a rank that is killed costs
# nothing but time.
set -eu
B=$(cd "$MOTE_BUILD" && pwd)
F=$(pwd)/tests/fixtures/adder
D=$(mktemp -d)
trap 'rm -rf "$D"' EXIT
fail() { echo "FAIL: $*"; exit 1; }
most=100
ranks() { # N, command...: more than there are cores, and as root where tests run as root
	n=$1
	shift
	root=
	[ "$(id -u)" != 0 ] || root=--allow-run-as-root
	# shellcheck disable=SC2086
	timeout -s KILL "$most" mpirun $root --oversubscribe --bind-to none -n "$n" "$@" </dev/null
}
ldd "$B/mote-perplexity" | grep -q 'libmpi' || fail "built without MPI=1"

cd "$D" # where parts go
"$B/mote-convert" "$F" -o f.mote >/dev/null 2>&1
"$B/mote-quantize" f.mote -o q.mote --type q3 --encoder round --no-validate >/dev/null 2>&1
head -c 6000 "$F/calibration.txt" >calibration
head -c 4000 "$F/heldout.txt" >heldout
awk 'BEGIN { for (i = 0; i < 60; i++) printf "{\"passage\":\"A %d\",\"question\":\"is it %d\",\"label\":\"%s\"}\n", i, i, i % 3 ? "true" : "false" }' >boolq.jsonl
for i in 1 2 3 4 5; do
	printf '{"question":"What is %d + 4?","answer":"It is.\\n#### %d"}\n' $i $((i + 4))
done >gsm8k.jsonl
same() { # NAME, command...: the output, or the file out.mote, is that of one process
	name=$1
	shift
	"$@" >one
	[ ! -e out.mote ] || mv out.mote one
	ranks 4 "$@" >four 2>err || fail "$name: $(cat err)"
	[ ! -e out.mote ] || mv out.mote four
	cmp one four || fail "$name: four ranks give something else"
	[ -z "$(ls -d ./*.parts 2>/dev/null)" ] || fail "$name: parts are left"
}
set -- "$B/mote-perplexity" q.mote --reference f.mote -f "$F/heldout.txt" -c 200 --chunks 40 -t 1 --json
same perplexity "$@"
same evaluation "$B/mote-eval" q.mote --reference f.mote --task boolq=boolq.jsonl --task gsm8k=gsm8k.jsonl --zero-shot \
	--max-tokens 24 -t 1 --json
same mixture "$B/mote-quantize" f.mote --calibrate calibration --validate heldout --encoder search --tensor '*mlp*=q4' \
	--bits 4.7 \
	-t 1 -qo out.mote
"$@" >one

# The last of four ranks lacks the text.
code=0
root=
[ "$(id -u)" != 0 ] || root=--allow-run-as-root
# shellcheck disable=SC2086
mpirun $root --oversubscribe --bind-to none -n 3 "$@" --parts kept : -n 1 "$B/mote-perplexity" q.mote -f nothing \
	--parts kept \
	>out 2>err </dev/null || code=$?
[ "$code" = 1 ] && [ ! -s out ] || fail "a rank that fails: exit code $code"
grep -q '^mote-perplexity: rank 3 of 4: nothing: No such file' err || fail "no message of the rank: $(cat err)"

# Killed at a random moment: the run fails, and the same command gives the same bytes, from what was finished.
cat >named <<'END'
#!/bin/sh
echo $$ >"pid.$OMPI_COMM_WORLD_RANK"
exec "$@"
END
chmod +x named
for victim in 0 2; do
	rm -rf pid.* kept
	# some versions of mpirun wait for nothing once a rank was killed
	(most=10 && ranks 4 ./named "$@" --parts kept) >out 2>err &
	run=$!
	while kill -0 $run && ! ls kept/*.part >list 2>/dev/null; do sleep 0.05; done
	sleep "0.$(od -An -N1 -tu1 /dev/urandom | tr -d ' ')"
	kill -9 "$(cat "pid.$victim")" 2>/dev/null || :
	wait $run || :
done
ranks 4 "$@" --parts kept >four 2>err || fail "after a rank was killed: $(cat err)"
cmp one four || fail "a killed rank changes the result"
[ "$(ls kept | wc -l)" = 40 ] || fail "not all parts are kept"
# One process takes the same parts; a damaged one is refused.
"$@" --parts kept | cmp one - || fail "one process makes something else of parts"
part=$(ls kept/*-7-of-*)
head -c 300 "$part" >short && mv short "$part"
code=0
ranks 2 "$@" --parts kept >out 2>err || code=$?
[ "$code" = 3 ] && grep -q 'no whole part' err || fail "a damaged part: exit code $code, $(cat err)"

# What cannot be shared is done once.
ranks 3 "$B/mote-perplexity" q.mote -f "$F/heldout.txt" -c 200 --all-positions -t 1 --json >out 2>err
[ "$(wc -l <out)" = 1 ] || fail "three results"

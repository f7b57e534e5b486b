# The scripts of docs/scaling.md, as they stand there, give what one process gives. Slurm's variable is set by a loop.
set -eu
B=$(cd "$MOTE_BUILD" && pwd)
F=$(pwd)/tests/fixtures/adder
D=$(mktemp -d)
trap 'rm -rf "$D"' EXIT
fail() { echo "FAIL: $*"; exit 1; }
awk -v folder="$D" '/^<!-- file: / { name = $3; next } /^```sh/ && name { inside = 1; next } /^```/ && inside { inside = 0; name = "" }
	inside { print >(folder "/" name) }' docs/scaling.md
cd "$D"
PATH=$B:$PATH
"$B/mote-convert" "$F" -o BASE.mote >/dev/null 2>&1
"$B/mote-quantize" BASE.mote -o M.mote --type q3 --encoder round --no-validate >/dev/null 2>&1
head -c 9000 "$F/calibration.txt" >text
awk 'BEGIN { for (i = 0; i < 40; i++) printf "{\"passage\":\"A %d\",\"question\":\"is it %d\",\"label\":\"%s\"}\n", i, i, i % 3 ? "true" : "false" }' >val.jsonl

mote-eval M.mote --task boolq=val.jsonl --json >one
sh xargs.sh 2>err | cmp one - || fail "xargs: $(cat err)"
mote-perplexity M.mote -f text --json >one
sh parallel.sh 2>err | cmp one - || fail "parallel: $(cat err)"
mote-quantize BASE.mote --bits 4.5 --calibrate text --no-validate -qo one.mote
for i in 1 2 3 4 5 6 7 8; do
	SLURM_ARRAY_TASK_ID=$i SLURM_CPUS_PER_TASK=1 sh array.sh >/dev/null 2>err || fail "array: $(cat err)"
done
sh after.sh 2>err || fail "after: $(cat err)"
cmp one.mote mixture.mote || fail "another mixture"

#!/bin/sh
# A result that did not arrive is a failure: every tool with a full disk behind its standard output, or with none.
set -u
build=${MOTE_BUILD:-build/release}
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
passed=0 failed=0

# lost WHERE COMMAND...
lost() {
	where=$1
	shift
	if [ "$where" = closed ]; then
		"$@" >&- 2>"$work/err"
	else
		"$@" >"$where" 2>"$work/err"
	fi
	got=$?
	if [ "$got" -eq 1 ] && grep -q 'standard output' "$work/err"; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "exit code $got, expected 1 and a message: $* ($where)"
		cat "$work/err"
	fi
}

m=$work/m.mote
"$build/mote-convert" tests/fixtures/adder -o "$m" -q || exit 1
head -c 4000 tests/fixtures/adder/heldout.txt >"$work/text"
echo '[{"role":"user","content":"What is 1 + 2?"}]' >"$work/messages"
if [ ! -c /dev/full ]; then
	echo "0 passed, 0 failed"
	exit 0
fi
for where in /dev/full closed; do
	lost $where "$build/mote-run" "$m" -p "What is 1 + 2?" --temp 0
	lost $where "$build/mote-run" "$m" -p "What is 1 + 2?" --temp 0 --json
	lost $where "$build/mote-tokenize" "$m" -p text
	lost $where "$build/mote-tokenize" "$m" --messages "$work/messages"
	lost $where "$build/mote-inspect" "$m"
	lost $where "$build/mote-inspect" "$m" --template
	lost $where "$build/mote-perplexity" "$m" -f "$work/text"
	lost $where "$build/mote-convert" tests/fixtures/adder -o "$m" --force --json
	for tool in run bench tokenize inspect convert quantize perplexity; do
		lost $where "$build/mote-$tool" --help
		lost $where "$build/mote-$tool" --version
	done
done
# Closed streams keep their numbers: no file that the tool opens takes one.
lost closed "$build/mote-bench" "$m" -r 1 -p 4 -n 2
for tool in "tokenize $m" "perplexity $m -f -" "run $m -f -"; do
	# shellcheck disable=SC2086
	"$build"/mote-$tool <&- >"$work/out" 2>"$work/err"
	got=$?
	if [ $got -eq 1 ] && [ ! -s "$work/out" ]; then passed=$((passed + 1)); else failed=$((failed + 1)); echo "mote-$tool without standard input: $got"; cat "$work/err"; fi
done
"$build/mote-convert" tests/fixtures/adder -o "$work/silent.mote" <&- >&- 2>&-
if cmp -s "$m" "$work/silent.mote"; then passed=$((passed + 1)); else failed=$((failed + 1)); echo "without any stream another file was written"; fi
lost /dev/full "$build/mote-bench" "$m" -r 1 -p 4 -n 2
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]

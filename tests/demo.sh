#!/bin/sh
# What `make demo` shows once the tools are built: the whole chain on the trained checkpoint in tests/fixtures.
#   tests/demo.sh BUILD_DIR
set -eu
build=$1
checkpoint=tests/fixtures/adder
out=$build/demo
rm -rf "$out"
mkdir -p "$out"

# Shows a command as a user would type it, then runs it.
run() {
	printf '\n$'
	for word in "$@"; do
		case $word in
		*' '*) printf ' "%s"' "$word" ;;
		*) printf ' %s' "$word" ;;
		esac
	done
	echo
	tool=$1
	shift
	"$build/$tool" "$@"
}
# The first number of this name in one line of JSON.
field() { grep -o "\"$1\":[-0-9.eE+]*" | head -n 1 | sed 's/.*://'; }

run mote-convert "$checkpoint" -o "$out/adder.mote" --dtype f32
run mote-quantize "$out/adder.mote" -o "$out/adder-q8.mote" --type q8 --validate $checkpoint/heldout.txt
run mote-quantize "$out/adder.mote" -o "$out/adder-q4.mote" --type q4 --validate $checkpoint/heldout.txt
run mote-quantize "$out/adder.mote" -o "$out/adder-mix.mote" --bits 4.5 --validate $checkpoint/heldout.txt

printf '\nWhat it cost, on text that no step has seen (and how fast each decodes):\n\n'
printf '%-5s %9s %8s %19s %14s %8s %9s\n' type bytes bits/w perplexity 'KL divergence' 'top-1' tokens/s
for type in f32 q8 q4 mix; do
	file=$out/adder-$type.mote
	[ $type != f32 ] || file=$out/adder.mote
	inspect=$("$build/mote-inspect" "$file" --json)
	figures=$("$build/mote-perplexity" "$file" --reference "$out/adder.mote" -f $checkpoint/heldout.txt -c 256 \
		--json)
	speed=$("$build/mote-bench" "$file" -p 0 -n 128 -r 3 --json)
	printf '%-5s %9s %8.3f %10.4f ± %.4f %14.6f %7.2f%% %9.0f\n' $type \
		"$(echo "$inspect" | field file_bytes)" "$(echo "$inspect" | field bits_per_weight)" \
		"$(echo "$figures" | field perplexity)" "$(echo "$figures" | field perplexity_error)" \
		"$(echo "$figures" | field kld_mean)" "$(echo "$figures" | field top1_agreement | awk '{print 100 * $1}')" \
		"$(echo "$speed" | field tokens_per_second)"
done

run mote-run "$out/adder-mix.mote" -p "What is 478 + 256?" --temp 0

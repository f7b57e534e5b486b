#!/bin/sh
# mote-bench: every figure that scripts rely on is there and makes sense.
. tests/script.sh
bench=$build/mote-bench

"$build/mote-convert" tests/fixtures/adder -o "$work/m.mote" >/dev/null || exit 1
expect 0 "$bench" "$work/m.mote" -p 32,64 -n 8 -d 0,100 -t 1,2 -r 2 --json
positive='[0-9.e+-]*[1-9][0-9.e+-]*'
for kind in prefill decode; do
	for depth in 0 100; do
		for threads in 1 2; do
			has "$work/out" "\"kind\":\"$kind\",\"tokens\":[0-9]*,\"depth\":$depth,\"threads\":$threads,\"tokens_per_second\":$positive,\"spread\":[0-9.e+-]*,\"share_of_limit\":$positive"
		done
	done
done
for key in load_ms first_token_ms peak_rss_bytes; do
	has "$work/out" "\"$key\":$positive"
done
for threads in 1 2; do
	has "$work/out" "{\"threads\":$threads,\"bandwidth_gb_s\":$positive,\"int8_gop_s\":$positive,\"f32_gop_s\":$positive}"
done
expect 0 "$bench" "$work/m.mote" -p 16 -n 4 -r 1 -ctk q8 -ctv q8 --mmap
has "$work/out" '^prefill  *16'
has "$work/out" '^decode  *4'
has "$work/out" 'GB/s'

expect 0 "$bench" "$work/m.mote" -p 0 -n 4 -np 1,3,40 -d 0,20 -r 1 --json
for streams in 1 3 40; do
	for depth in 0 20; do
		has "$work/out" "\"kind\":\"decode\",\"tokens\":4,\"depth\":$depth,.*\"streams\":$streams,\"isa\":\"[a-z]"
	done
done
expect 0 "$bench" "$work/m.mote" -p 16 -n 4 -np 2 -r 1 --markdown
has "$work/out" '^| decode | 4 | 0 | 2 | '
has "$work/out" '^| prefill | 16 | 0 | 1 | '

# what has not been measured is no zero
expect 0 "$bench" "$work/m.mote" --isa scalar -p 16 -n 0 -r 1
has "$work/out" '^prefill .* -$'
has "$work/out" '^ .* -  *-$'

expect 0 "$bench" -p 16 -n 0 -r 1 -- "$work/m.mote"
# whoever interrupts it, at the start too, is told so
for moment in 0.05 0.3; do
	expect 130 timeout -s INT --preserve-status --foreground "$moment" "$bench" "$work/m.mote" -p 0 -n 300 -r 100
done
expect 0 "$bench" --help
expect 0 "$bench" --version
expect 2 "$bench"
for wrong in '-np 0' '-np 257' '-p x' '-t 0' '-r 0' '-d 1,' '-ctv q5' '--isa mmx' '-d 600'; do
	# shellcheck disable=SC2086
	expect 2 "$bench" "$work/m.mote" -r 1 $wrong
done
expect 1 "$bench" "$work/none.mote"
expect 3 "$bench" tests/cli/bench.sh

finish

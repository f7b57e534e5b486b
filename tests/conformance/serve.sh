#!/bin/sh
# mote-serve under clients that others wrote: npm's openai and @anthropic-ai/sdk, and headless Chromium on the chat
# page. Fetches the two packages into a temporary folder, or takes them from NODE_MODULES.
set -u
build=$(realpath "${MOTE_BUILD:-build/release}")
work=$(mktemp -d) || exit 1
server=
trap 'rm -rf "$work"; [ -z "$server" ] || kill "$server" 2>/dev/null' EXIT
passed=0 failed=0
add() { # the last line of a client's output: N passed, M failed
	cat "$work/out"
	counts=$(sed -n 's/^\([0-9]*\) passed, \([0-9]*\) failed$/\1 \2/p' "$work/out" | tail -n 1)
	passed=$((passed + ${counts% *}))
	failed=$((failed + ${counts#* }))
}

"$build/mote-convert" -q tests/fixtures/adder -o "$work/base.mote" || exit 1
"$build/mote-quantize" -q "$work/base.mote" -o "$work/adder.mote" --type q8 >"$work/out" 2>&1 || exit 1

clients="openai anthropic"
if ! command -v npm >/dev/null; then
	echo "no npm: its clients are left out"
	clients=
elif [ -n "${NODE_MODULES:-}" ]; then
	ln -s "$NODE_MODULES" "$work/node_modules"
else
	npm install --silent --no-fund --no-audit --prefix "$work" openai @anthropic-ai/sdk >/dev/null || exit 1
fi
cp tests/conformance/serve_openai.mjs tests/conformance/serve_anthropic.mjs "$work"
"$build/mote-serve" "$work/adder.mote" --port 0 -t 2 2>"$work/err" &
server=$!
for _ in $(seq 200); do
	url=$(sed -n 's/^listening on //p' "$work/err")
	[ -z "$url" ] || break
	sleep 0.1
done
for client in $clients; do
	node "$work/serve_$client.mjs" "$url" >"$work/out" 2>&1 || echo "serve_$client.mjs: exit code $?"
	grep -q ' passed, ' "$work/out" || echo "0 passed, 1 failed" >>"$work/out"
	add
done
kill "$server"
wait "$server" && server=

if command -v chromium >/dev/null; then
	mkdir "$work/shots"
	PATH=/usr/bin:$PATH python3 tests/conformance/serve_page.py "$build" "$work/adder.mote" \
		"${SHOTS:-$work/shots}" >"$work/out" 2>&1
	grep -q ' passed, ' "$work/out" || echo "0 passed, 1 failed" >>"$work/out"
	add
fi
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]

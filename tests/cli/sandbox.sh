#!/bin/sh
# --sandbox: the tools do what they do without it, under a filter, and refuse themselves files.
. tests/script.sh
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null; rm -rf "$work"' EXIT
# what looks for leaks wants to read /proc at the end, and gcov to write
export ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0"

stop() {
	kill "$server"
	if wait "$server"; then ok; else bad "the server ended with another code"; cat "$work/err"; fi
	server=
}
same() { if cmp -s "$work/plain" "$work/out"; then ok; else bad "$1: another answer"; cat "$work/out"; fi; }

"$build/mote-convert" tests/fixtures/adder -o "$work/m.mote" -q || exit 1
m=$work/m.mote
question="What is 1 + 2?"
echo '[{"role":"user","content":"'"$question"'"}]' >"$work/messages"
cp tests/fixtures/adder/chat_template.jinja "$work/template"

if ! "$build/mote-run" "$m" -p "$question" -n 1 --sandbox >/dev/null 2>"$work/err"; then
	has "$work/err" 'sandbox: '
	echo "this kernel has no sandbox"
	finish
	exit
fi
for options in '' '--mmap -t 2' "--chat-template-file $work/template"; do
	# shellcheck disable=SC2086
	expect 0 "$build/mote-run" "$m" -p "$question" --temp 0 $options
	cp "$work/out" "$work/plain"
	# shellcheck disable=SC2086
	expect 0 "$build/mote-run" "$m" -p "$question" --temp 0 --sandbox $options
	same "$options"
done
expect 0 "$build/mote-run" "$m" --messages "$work/messages" --temp 0 --sandbox
same "--messages"
echo "$question" >"$work/prompt"
input=$work/prompt
expect 0 "$build/mote-run" "$m" --temp 0 --sandbox
same "standard input"
input=

[ -x "$build/mote-serve" ] || { finish; exit; }
"$build/mote-serve" "$m" --port 0 --sandbox -t 2 2>"$work/err" &
server=$!
for _ in $(seq 100); do
	port=$(sed -n 's/^listening on .*:\([0-9]*\)$/\1/p' "$work/err")
	[ -z "$port" ] || break
	sleep 0.1
done
if [ -r "/proc/$server/status" ]; then has "/proc/$server/status" 'Seccomp:[[:space:]]2'; fi
python3 - "$port" >"$work/out" 2>&1 <<'EOF'
import json, sys, threading, urllib.request
answers = []
def ask(path, body=None):
    url = "http://127.0.0.1:%s%s" % (sys.argv[1], path)
    with urllib.request.urlopen(urllib.request.Request(url, body and json.dumps(body).encode(),
                                                       {"Content-Type": "application/json"}), timeout=60) as answer:
        answers.append(answer.read().decode())
chat = {"messages": [{"role": "user", "content": "What is 1 + 2?"}], "temperature": 0}
jobs = [("/v1/chat/completions", chat), ("/v1/chat/completions", dict(chat, stream=True)), ("/health",), ("/metrics",), ("/v1/models",)]
threads = [threading.Thread(target=ask, args=job) for job in jobs]
[t.start() for t in threads]
[t.join() for t in threads]
print(len(answers), sum("[DONE]" in a for a in answers), sum('"message":' in a for a in answers))
EOF
has "$work/out" '^5 1 1$'
stop
# A socket at a path, made before; its file cannot be removed, and the next start takes its place.
for _ in 1 2; do
	: >"$work/err" # of the last start
	"$build/mote-serve" "$m" --host "unix:$work/socket" --sandbox -t 2 2>"$work/err" &
	server=$!
	for _ in $(seq 100); do
		! grep -q '^listening on' "$work/err" || break
		sleep 0.1
	done
	has "$work/err" "^listening on unix:$work/socket\$"
	stop
done

finish

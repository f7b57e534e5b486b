#!/bin/sh
# mote-run as a chat, in a pseudo-terminal (script(1) is in every Debian): its commands, a full context, its ends.
. tests/script.sh
"$build/mote-convert" -q tests/fixtures/adder -o "$work/m.mote" || exit 1

# expect CODE OPTIONS: what was typed is on standard input, what the terminal shows goes to $work/out
expect() {
	script -qec "$build/mote-run $work/m.mote --temp 0 $2" /dev/null >"$work/out"
	got=$?
	if [ "$got" -eq "$1" ]; then ok; else bad "exit code $got, expected $1"; cat "$work/out"; fi
}
# shown TEXT TIMES
shown() {
	if [ "$(grep -cF "$1" "$work/out")" -eq "$2" ]; then ok; else
		bad "\"$1\" was not shown $2 times:"; cat "$work/out"
	fi
}

printf 'What is 27 + 48?\n\nWhat is 27 + 48?\n/exit \nWhat is 27 + 48?\n' | expect 0 ''
shown '27 + 48 = 75.' 2
# The second question does not fit behind the first and its answer, which leave; /clear forgets all.
printf 'What is 27 + 48?\nWhat is 1 + 2?\nWhat is 3 + 4?\n/clear\nWhat is 27 + 48?\n/bye\n' | expect 0 '-c 55 -n 5'
shown 'the context of 55 tokens is full: the oldest 1 turn of this conversation left it' 2
shown 'Add 2' 2
# No style where the user wants none, and the reasoning is under its heading instead; a dumb terminal gets no escape
# sequence at all.
for variable in NO_COLOR=1 TERM=dumb; do
	printf 'What is 27 + 48?\n/exit\n' |
		env "$variable" script -qec "$build/mote-run $work/m.mote --temp 0" /dev/null >"$work/out"
	shown '[reasoning]' 1
	shown "$(printf '\033')[2m" 0
done
shown "$(printf '\033')" 0
# What a user types who waits for each prompt; \\n, \\003 and so on are what they are in Python. \\377: not typed, but an
# interruption that another thread of the program gets, as when it came just before the wait for input. \\376: the
# terminal goes away, and who ignores SIGHUP reads its end. \\375: its window becomes 20 columns wide. \\374 behind a
# line: Ctrl-C as soon as it was read.
cat >"$work/type.py" <<'END'
import ctypes, fcntl, os, pty, re, select, signal, struct, sys, termios, time
command, typed = sys.argv[1].split(), [t.encode().decode("unicode_escape").encode("latin-1") for t in sys.argv[2:]]
pid, terminal = pty.fork()
if pid == 0:
    if b"\xfe" in typed:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    os.execv(command[0], command)
os.set_blocking(terminal, False)
seen, pending, interrupts, ends, quiet = b"", b"", False, time.time() + 120, time.time()
prompt = re.compile(rb"(^|\n)(\x1b\[[?0-9;]*[a-zA-Z]|\r)*(> |\.\.\. )[^\n]*$")
while time.time() < ends:
    readable, writable, _ = select.select([terminal], [terminal] if pending else [], [], 0.05)
    if readable:
        try:
            new = os.read(terminal, 65536)
        except OSError:
            break
        if not new:
            break
        sys.stdout.buffer.write(new)
        seen, quiet = seen + new, time.time()
    # While a line is edited the terminal has no key for the end: before that is over Ctrl-C would take the line back.
    if interrupts and not pending and b"\n" in seen and termios.tcgetattr(terminal)[6][termios.VEOF] != b"\0":
        time.sleep(0.005)
        os.write(terminal, b"\x03")
        interrupts = False
    if not pending and typed and time.time() - quiet > 0.1 and prompt.search(seen):
        pending, seen = typed.pop(0), b""
        interrupts, pending = pending[-1:] == b"\xfc", pending.rstrip(b"\xfc")
    if pending == b"\xff":
        thread = next(t for t in map(int, os.listdir(f"/proc/{pid}/task")) if t != pid)
        assert ctypes.CDLL(None).tgkill(pid, thread, signal.SIGINT) == 0
        pending, writable = b"", []
    if pending == b"\xfd":
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("4H", 24, 20, 0, 0))
        pending, writable, seen = b"", [], b"> "
    if pending == b"\xfe":
        os.close(terminal)
        while time.time() < ends and not os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            time.sleep(0.05)
        os.kill(pid, 9)
        break
    if writable:
        pending = pending[os.write(terminal, pending[:500]):]
else:
    os.kill(pid, 9)
    print("no end after two minutes")
sys.stdout.flush()
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
END
# types CODE OPTIONS TEXT...
types() {
	code=$1 options=$2
	shift 2
	python3 "$work/type.py" "$build/mote-run $work/m.mote --temp 0 $options" "$@" >"$work/out"
	got=$?
	if [ "$got" -eq "$code" ]; then ok; else bad "exit code $got, expected $code"; cat "$work/out"; fi
}

# Ctrl-C takes back the line that is being typed, Ctrl-D on an empty one ends.
types 0 '' 'What is 1\003' 'What is 27 + 48?\n' '\004'
shown '27 + 48 = 75.' 1
types 0 '-t 2' '\377' 'What is 27 + 48?\n' '/exit\n'
shown '27 + 48 = 75.' 1
types 0 '' 'What is 27 + 48?\n' '\376'
# Backspace, of a character of three bytes too, and Ctrl-U.
types 0 '' 'no\025What is 27 + 4\342\202\254\1778?\n' '/exit\n'
shown '27 + 48 = 75.' 1
# Who has made the window narrower sees the line go on in the next row: libedit writes a blank there and takes it back.
types 0 '' 'What is 1234 + 5678?\025/exit\n'
shown "$(printf ' \b')" 0
types 0 '' '\375' 'What is 1234 + 5678?\025/exit\n'
shown "$(printf ' \b')" 1
# A line of any length arrives whole: 3,000 times 3 bytes.
types 0 '-c 60' "$(awk 'BEGIN { for (i = 0; i < 3000; i++) printf "a b" }')\n" '/exit\n'
tokens=$(sed -n 's/.* \([0-9]*\) tokens do not fit.*/\1/p' "$work/out")
if [ "${tokens:-0}" -gt 6000 ]; then ok; else
	bad "a line of 9,000 bytes became ${tokens:-no} tokens"; tail -c 300 "$work/out"
fi
# Nor does it cost what was said before.
types 0 '-c 250' 'What is 27 + 48?\n' "$(awk 'BEGIN { for (i = 0; i < 300; i++) printf "a b" }')\n" '/save '"$work"'/long\n' '/exit\n'
shown 'do not fit' 1
shown 'left it' 0
grep -qF '27 + 48 = 75.' "$work/long" && passed=$((passed + 1)) || { failed=$((failed + 1)); echo "what does not fit took all else with it"; }
# Arrow keys move and do not arrive; what is pasted is one message with its newlines; a backslash and quotes go on.
types 0 '' 'What is 2 + 48?\033[D\033[D\033[D\033[D\033[D\033[D7\n' '/bye\n'
shown '27 + 48 = 75.' 1
types 0 '' '\033[200~What is\n27 + 48?\n\033[201~\n' '/save '"$work"'/pasted\n' 'What is\\\n' '1 + 2?\n' '"""What is\n' '1 + 2?"""\n' \
	'/save '"$work"'/all\n' '/save '"$work"'/all\n' '/bye\n'
shown 'exists' 1
told() { # FILE ROLE CONTENT...: the messages of a role in what /save wrote
	file=$1 role=$2
	shift 2
	if python3 -c 'import json, sys
found = [m["content"] for m in json.load(open(sys.argv[1])) if m["role"] == sys.argv[2]]
sys.exit(f"{found}" if found != [c.encode().decode("unicode_escape") for c in sys.argv[3:]] else 0)' "$file" "$role" "$@"; then
		ok
	else
		bad "$file: the above, expected $*"
	fi
}
told "$work/pasted" user 'What is\n27 + 48?'
told "$work/all" user 'What is\n27 + 48?' 'What is\n1 + 2?' 'What is\n1 + 2?'
# Commands: an unknown one is said and not answered, settings are changed, the last message is answered again or edited.
types 0 '-s Hello' '/nonsense\n' '/set temp 0.5\n' '/set temp x\n' '/set seed x\n' '/set predict 0\n' '/set dry-multiplier 0.7\n' '/show\n' '/system Bye\n' 'What is 1 + 2?\n' '/regen\n' '/edit\n' '\n' \
	'/think hide\n' 'What is 1 + 2?\n' '/save '"$work"'/told\n' '/clear\n' '/show\n' '/load '"$work"'/told\n' '/save '"$work"'/again\n' '/bye\n'
shown '/nonsense is no command' 1
# what is refused changes nothing; what has no limit is shown as it is typed
shown ' temp 0.5,' 2
shown 'dry-multiplier 0.7, predict -1, think-budget -1,' 2
shown '[/set temp: expected a number from 0 to 100]' 1
shown '[/set seed: expected an integer from 0' 1
shown ', seed 0' 0
shown ' 1 messages; system: Bye]' 1
shown 'messages]' 1
told "$work/told" system 'Bye'
told "$work/told" user 'What is 1 + 2?' 'What is 1 + 2?'
told "$work/again" user 'What is 1 + 2?' 'What is 1 + 2?'
# A session goes on where it was, with what was computed of it.
types 0 '' 'What is 27 + 48?\n' '/save '"$work"'/kept.session\n' '/clear\n' '/load '"$work"'/kept.session\n' 'What is 1 + 2?\n' \
	'/load '"$work"'/none.session\n' '/save '"$work"'/kept.session\n' '/bye\n'
shown '[2 messages]' 1
shown 'none.session: ' 1
shown 'kept.session: exists already' 1
printf 'What is 1 + 2?\n/bye\n' | expect 0 "--load-session $work/kept.session --save-session $work/more.session"
shown '[2 messages]' 1
printf '/bye\n' | expect 0 "--load-session $work/more.session"
shown '[4 messages]' 1
# A message of several lines comes back to be edited as one: none of a file's is a command.
printf '[{"role":"user","content":"What\\u00e4 is\\n/save %s/stolen\\n/bye"},{"role":"assistant","content":"x"}]' "$work" >"$work/lines"
types 0 '' '/load '"$work"'/lines\n' '/edit\n\n' '/save '"$work"'/edited\n' '/bye\n'
if [ ! -e "$work/stolen" ]; then ok; else bad "a message was a command"; fi
told "$work/edited" user 'What\u00e4 is\n/save '"$work"'/stolen\n/bye'
# A message that the template refuses is dropped; the next one is answered.
cp -r tests/fixtures/adder "$work/refusing"
printf '%s' '{%- if "secret" in messages[-1].content %}{{ raise_exception("not about that") }}{% endif -%}' \
	>"$work/refusing/chat_template.jinja"
cat tests/fixtures/adder/chat_template.jinja >>"$work/refusing/chat_template.jinja"
"$build/mote-convert" -q --force "$work/refusing" -o "$work/m.mote" || exit 1
types 0 '' 'the secret\n' 'What is 27 + 48?\n' '/exit\n'
shown 'not about that' 1
shown '27 + 48 = 75.' 1
# Interrupted before its answer begins (the template takes long), a message is not taken, and /regen changes nothing.
cp -r tests/fixtures/adder "$work/slow"
printf '%s' '{%- for a in range(300) %}{% for b in range(1000) %}{% endfor %}{% endfor -%}' >"$work/slow/chat_template.jinja"
cat tests/fixtures/adder/chat_template.jinja >>"$work/slow/chat_template.jinja"
"$build/mote-convert" -q --force "$work/slow" -o "$work/m.mote" || exit 1
types 0 '' 'What is 1 + 2?\n\374' 'What is 27 + 48?\n' '/regen\n\374' '/save '"$work"'/calm\n' '/exit\n'
shown '[the message was not taken: interrupted]' 1
shown '[the answer stays as it is: interrupted]' 1
told "$work/calm" user 'What is 27 + 48?'
told "$work/calm" assistant '27 + 48 = 75.'
# What /think turns off and on, the template is told.
printf '%s' '{%- if [enable_thinking, thinking] == [false, false] %}{{ raise_exception("told") }}{% endif %}x' >"$work/think.jinja"
types 0 "-n 1 --chat-template-file $work/think.jinja" 'a\n' '/think off\n' 'b\n' '/think show\n' 'c\n' '/save '"$work"'/thought\n' '/exit\n'
shown 'refuses: told' 1
told "$work/thought" user a c
# Where lines are not edited, /edit leaves the message where it is.
printf 'What is 27 + 48?\n/edit\n/save %s/dumb\n/exit\n' "$work" |
	TERM=dumb script -qec "$build/mote-run $work/m.mote --temp 0" /dev/null >"$work/out"
shown 'lines cannot be edited' 1
told "$work/dumb" user 'What is 27 + 48?'

finish

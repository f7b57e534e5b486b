#!/bin/sh
# What a file promises beyond what is taken, and a file that is shortened while it is used.
. tests/script.sh
m=$work/m.mote

# ---- positions: what convert takes, every tool takes
cp -r tests/fixtures/adder "$work/long"
sed 's/"max_position_embeddings": *[0-9]*/"max_position_embeddings": 33554432/' tests/fixtures/adder/config.json \
	>"$work/long/config.json"
"$build/mote-convert" "$work/long" -o "$work/long.mote" -q || bad "convert refuses 33,554,432 positions"
# run TITLE COMMAND...
run() {
	title=$1
	shift
	if "$@" >"$work/out" 2>"$work/err" </dev/null; then ok; else bad "$title: $(cat "$work/err")"; fi
}
run run "$build/mote-run" "$work/long.mote" -p "What is 1 + 2?" -n 2 -t 1
run bench "$build/mote-bench" "$work/long.mote" -r 1 -p 4 -n 2 -t 1
head -c 600 tests/fixtures/adder/heldout.txt >"$work/text"
run perplexity "$build/mote-perplexity" "$work/long.mote" -f "$work/text" -c 64 -t 1
run inspect "$build/mote-inspect" "$work/long.mote"
if "$build/mote-inspect" "$work/long.mote" --json | grep -q '"max_position_embeddings":33554432'; then ok; else bad "the file's own number is lost"; fi

# ---- shortened while it is mapped: a message and exit code 1, old files stay
case $build in
*release* | *debug*) ;;
*)
	finish
	exit
	;;
esac
cc -std=c11 -D_GNU_SOURCE -O1 -fPIC -shared tests/faults/*.c -o "$work/shim.so" -ldl || exit 1
"$build/mote-convert" tests/fixtures/adder -o "$work/whole.mote" -q
mkdir "$work/folder"
# shortened COMMAND...: of $m, which is whole when it is opened
shortened() {
	cp "$work/whole.mote" "$m"
	echo old >"$work/folder/o.mote"
	MOTE_FAULT=map:1:end LD_PRELOAD=$work/shim.so "$@" >"$work/out" 2>"$work/err" </dev/null
	got=$?
	if [ $got -eq 1 ] && grep -q "m.mote: was shortened" "$work/err"; then ok; else bad "exit code $got: $*"; cat "$work/err"; fi
	if [ "$(cat "$work/folder/o.mote")" = old ] && [ "$(ls -A "$work/folder")" = o.mote ]; then ok; else bad "left behind by $*: $(ls -A "$work/folder")"; fi
}
shortened "$build/mote-inspect" "$m" --verify
shortened "$build/mote-run" "$m" -p hello --mmap
shortened "$build/mote-tokenize" "$m" -p hello
shortened "$build/mote-perplexity" "$m" -f "$work/text"
shortened "$build/mote-quantize" "$m" -o "$work/folder/o.mote" --type q8 --no-validate --force
# Every other SIGBUS kills as ever.
printf '#include <signal.h>\nint main(void)\n{\n\treturn raise(SIGBUS);\n}\n' >"$work/bus.c"
cc "$work/bus.c" format/tool/shortened.c -I. -D_GNU_SOURCE -o "$work/bus" || bad "does not compile alone"
"$work/bus" 2>/dev/null
got=$?
if [ $got -ne 1 ]; then ok; else bad "any SIGBUS is taken for a shortened file"; fi
# The message is whole where standard error takes three bytes at a time.
cat >"$work/slow.c" <<'EOF'
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

ssize_t write(int fd, const void *data, size_t bytes)
{
	return syscall(SYS_write, fd, data, bytes < 3 ? bytes : 3);
}

int main(int argc, char **argv)
{
	int fd = open(argv[argc - 1], O_RDWR | O_CREAT, 0600);
	const char *mapped = ftruncate(fd, 10000) ? NULL : mmap(NULL, 10000, PROT_READ, MAP_SHARED, fd, 0);

	return !mapped || ftruncate(fd, 0) ? 2 : mapped[5000];
}
EOF
cc "$work/slow.c" format/tool/shortened.c -I. -D_GNU_SOURCE -o "$work/slow" || bad "does not compile alone"
"$work/slow" "$work/slow.mote" 2>"$work/err"
got=$?
echo "slow: $work/slow.mote: was shortened by another program, or cannot be read, while this one used it" >"$work/expected"
if [ $got -eq 1 ] && cmp "$work/err" "$work/expected"; then ok; else bad "a message that is not whole: $(cat "$work/err")"; fi

finish

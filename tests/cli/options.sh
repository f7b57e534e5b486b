#!/bin/sh
# One way to read and to refuse a command line in every tool: how options may be spelled, what is said of wrong ones,
# and what completes them in a shell.
. tests/script.sh

# refused TOOL MESSAGE ARGUMENT...: exactly this, how to get help, exit code 2, nothing on standard output
refused() {
	tool=$1
	printf '%s: %s\nTry '"'%s --help'"'.\n' "$tool" "$2" "$tool" >"$work/wanted"
	shift 2
	"$build/$tool" "$@" </dev/null >"$work/out" 2>"$work/err"
	got=$?
	if [ "$got" -eq 2 ] && cmp -s "$work/wanted" "$work/err" && [ ! -s "$work/out" ]; then ok; else
		bad "exit code $got: $tool $*"
		diff "$work/wanted" "$work/err"
	fi
}

"$build/mote-convert" tests/fixtures/adder -o "$work/m.mote" -q || exit 1
m=$work/m.mote

# ---- spellings
run() { expect 0 "$build/mote-run" "$@"; sed 's/,"timings":{[^}]*}//' "$work/out" >"$work/got"; }
run "$m" --prompt "2 + 2" --temp 0 --json --seed 1 --predict 20 --cache-type-k q8
cp "$work/got" "$work/first"
same() { if cmp -s "$work/first" "$work/got"; then ok; else bad "another answer: $*"; fi; }
run -p"2 + 2" --temp=0 --json --seed=1 -n20 -ctk=q8 -- "$m"
same "values behind = and letters"
run --temperature 0 -seed 1 --pro "2 + 2" --json -n 20 -m "$m" -ctk q8_0
same "other names, the beginning of one, llama.cpp's"
run --seed 7 "$m" --temp 1 -p x -p "2 + 2" --seed 1 --temp 0 --json -n 20 --ctk q8
same "the last of two counts"
run "$m" --prompt "2 + 2" --temp 0 --json --seed 1 -n 20 -ctk q8 --repeat-last-n -1 --repeat-penalty 1
same "-1 for all"
[ ! -x "$build/mote-serve" ] || expect 1 "$build/mote-serve" "$work/none.mote" -ctk q8_0 --cache-type-v q8_0
cp "$m" "$work/-m.mote"
expect 0 env sh -c "cd '$work' && '$(realpath "$build")/mote-run' --temp 0 -p x -n 1 -- -m.mote"

# ---- refusals
refused mote-run '--sede: no such option; the nearest is --seed' "$m" --sede 1
refused mote-run '--tmep: no such option; the nearest is --temp' "$m" --tmep=1
refused mote-run '--quite-another: no such option' "$m" --quite-another
refused mote-run '--top: more than one option begins so' "$m" --top 1
refused mote-run '-x: no such option' "$m" -x
refused mote-run '-st: no such option: a prompt (-p, -f) is answered once, and -s takes a text' "$m" -st -p x
refused mote-run '-t 0: expected an integer from 1 to 256' "$m" -t 0
refused mote-run '--threads 1.5: expected an integer from 1 to 256' "$m" --threads=1.5
refused mote-run '-nx: no such option, nor -n with a value: expected an integer from 1 to 4294967295, or -1' "$m" -nx
refused mote-run '-n 1x: expected an integer from 1 to 4294967295, or -1' "$m" -n1x
refused mote-run '-ngl: no such option; nothing runs on a GPU: leave it out' "$m" -ngl 99
refused mote-run '-fa: no such option; mote sees to that itself: leave it out' "$m" -fa on
refused mote-bench '-b: no such option; mote sees to that itself: leave it out' "$m" -b 512
refused mote-bench '--hf-repo: no such option; nothing is fetched: give a file' --hf-repo=owner/name
refused mote-run '--temp nan: expected a number from 0 to 100' "$m" --temp nan
refused mote-run '--cache-type-v q3: expected f16, q8 or f32' "$m" --cache-type-v q3
refused mote-run '-ctk q3: expected f16, q8 or f32' "$m" -ctk q3
refused mote-run '--seed 9007199254740993: expected an integer from 0 to 9007199254740992, or -1 for a random one' \
	"$m" --seed 9007199254740993
refused mote-run '--seed: N is missing' "$m" --seed
refused mote-run '--json takes no value' "$m" --json=yes
refused mote-run 'MODEL.mote is missing' -p x
refused mote-run 'the prompt is given twice: -p x and other' "$m" other -p x
refused mote-run '-p and -f exclude each other' "$m" -p x -f y
refused mote-bench '--json and --markdown exclude each other' "$m" --json --markdown
[ ! -x "$build/mote-serve" ] || refused mote-serve '--alias: the name is empty' "$m" --alias ''
refused mote-bench '-d 1,: expected up to 16 integers from 0 to 1048576 with commas between' "$m" -d 1,

refused mote-convert '-t 257: expected an integer from 1 to 256' tests/fixtures/adder -o "$work/x.mote" -t 257
refused mote-convert '--dtype q8: expected keep, f16, f32 or bf16' tests/fixtures/adder -o "$work/x.mote" --dtype q8
refused mote-convert 'SOURCE is missing' -o "$work/x.mote"
refused mote-quantize '--bits 0.5: expected a number from 1 to 32' "$m" -o "$work/x.mote" --bits 0.5
refused mote-quantize '--max-kld -1: expected a positive number' "$m" -o "$work/x.mote" --max-kld -1
refused mote-quantize '--budget 80XB: expected a size such as 80MB or 76MiB' "$m" -o "$work/x.mote" --budget 80XB
refused mote-quantize '--tensor x=f64: tensor rule '"'x=f64': unknown type 'f64' (expected q3, q4, q5, q6, q8, q3b to q8b, f16, bf16 or f32)" "$m" -o "$work/x.mote" --tensor x=f64
refused mote-perplexity '-t 0: expected an integer from 1 to 256' "$m" --generate 100 -t 0
refused mote-tokenize '--diff alpaca: expected chatml' "$m" --messages x --diff alpaca
refused mote-inspect '--json, --template and --dump exclude each other' "$m" --json --template
expect 0 "$build/mote-convert" tests/fixtures/adder -qfo "$work/m.mote"

# ---- the same in all tools
for path in "$build"/mote-*; do
	tool=$(basename "$path")
	case $tool in *.*) continue ;; esac
	[ -x "$path" ] || continue
	refused "$tool" '--none-of-these: no such option' --none-of-these
	refused "$tool" '--hlp: no such option; the nearest is --help' --hlp
	refused "$tool" '--completion fish: expected bash or zsh' --completion fish
	expect 0 "$path" --version
	if grep -q "^$tool [0-9]" "$work/out"; then ok; else bad "$tool --version"; fi
	# Completion knows every option of --help.
	"$path" --help | grep -o -e '^  *\(-[a-z]*, \)*--[a-z-]*' | grep -o -e '--[a-z-]*' | sort -u >"$work/options"
	expect 0 "$path" --completion zsh
	grep -o -e '--[a-z-]*' "$work/out" | sort -u >"$work/known"
	if diff "$work/options" "$work/known"; then ok; else bad "$tool --completion zsh"; fi
	if command -v zsh >/dev/null; then check "$tool: zsh reads it" zsh -fn "$work/out"; fi
	expect 0 "$path" --completion bash
	if command -v bash >/dev/null; then
		cat >"$work/complete" <<-END
			. "$work/out"
			COMP_WORDS=($tool --) COMP_CWORD=1
			\$(complete -p $tool | sed 's/.*-F \\([a-z_]*\\) .*/\\1/')
			printf '%s\\n' "\${COMPREPLY[@]}"
		END
		bash "$work/complete" | sort -u >"$work/known"
		if diff "$work/options" "$work/known"; then ok; else bad "$tool --completion bash"; fi
		# the shell itself knows how to write a file's name that has blanks
		if bash -c ". '$work/out'; complete -p $tool" | grep -q -- '-o default' && ! grep -q 'compgen -f' "$work/out"; then
			ok
		else
			bad "$tool: names of files"
		fi
	fi
done

finish

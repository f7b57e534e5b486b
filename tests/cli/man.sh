#!/bin/sh
# The man pages name exactly the options that --help names, long and short, and lose no quotation marks.
. tests/script.sh
for tool in "$MOTE_BUILD"/mote-*; do
	[ -x "$tool" ] || continue
	name=$(basename "$tool")
	page=docs/$name.1
	"$tool" --help >"$work/text"
	{
		grep -o -e '--[a-z][a-z0-9-]*' "$work/text"
		sed -n 's/^  -\([A-Za-z]*\), --\([a-z0-9-]*\).*/-\1 --\2/p' "$work/text"
	} | sort -u >"$work/help"
	# in mdoc an option is "Fl -name", perhaps with punctuation
	{
		sed -n 's/.*/ & /p' "$page" | grep -o -e ' Fl -[a-z][a-z0-9-]*' | sed 's/ Fl -/--/'
		sed -n 's/^\.It Fl \([A-Za-z]*\) , Fl -\([a-z0-9-]*\).*/-\1 --\2/p' "$page"
	} | sort -u >"$work/page"
	if [ -s "$work/help" ] && diff "$work/help" "$work/page" >"$work/diff"; then
		ok
	else
		bad "$page: < only in --help, > only in the page"
		cat "$work/diff"
	fi
	# a macro takes quotation marks at a word's beginning for its own; \(dq is one
	if grep -n '^\.\(Dl\|Li\|Ql\) \(.* \)\?"' "$page"; then bad "$page: quotation marks that are not printed"; else ok; fi
done

# What --json prints is named there: the first names, and those of what has no document of its own.
"$MOTE_BUILD/mote-convert" -q tests/fixtures/adder -o "$work/m.mote" || exit 1
head -c 9000 tests/fixtures/adder/heldout.txt >"$work/text"
printf '[{"role":"user","content":"x"}]' >"$work/messages"
named() { # TOOL ARGUMENT...
	tool=$1
	shift
	"$MOTE_BUILD/$tool" "$@" --json >"$work/json" 2>"$work/err" || { bad "$tool $*"; cat "$work/err"; return; }
	missing=$(python3 - "docs/$tool.1" "$work/json" <<-'END'
		import json, re, sys
		page, printed = open(sys.argv[1]).read(), json.load(open(sys.argv[2]))
		names = list(printed)
		for inner in ("timings", "results", "limits", "spans"):
		    inner = printed.get(inner, {})
		    names += list(inner[0] if isinstance(inner, list) else inner)
		figures = open("docs/receipts.md").read() if "nll" in names else ""
		print(*(n for n in names if not re.search(rf"(?m)^\.Ql {n}\b", page) and
		        not re.search(rf"`\w*{re.sub('(_block)?_error$|^delta_p', '', n)}`", figures)))
	END
	)
	none "docs/$tool.1 lacks" "$missing"
}
named mote-run "$work/m.mote" -p x -n 2 --logits 2
named mote-tokenize "$work/m.mote" --messages "$work/messages"
named mote-bench "$work/m.mote" -p 4 -n 2 -r 1
named mote-inspect "$work/m.mote"
named mote-convert tests/fixtures/adder -o "$work/n.mote"
named mote-quantize "$work/m.mote" -o "$work/q.mote" --type q8 --encoder round --validate "$work/text"
named mote-perplexity --check "$work/q.mote" --reference "$work/m.mote" -f "$work/text"
finish

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
finish

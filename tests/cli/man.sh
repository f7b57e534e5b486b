#!/bin/sh
# The man pages name exactly the options that --help names.
. tests/script.sh
for tool in "$MOTE_BUILD"/mote-*; do
	[ -x "$tool" ] || continue
	name=$(basename "$tool")
	page=docs/$name.1
	"$tool" --help | grep -o -e '--[a-z][a-z0-9-]*' | sort -u >"$work/help"
	# in mdoc an option is "Fl -name", perhaps with punctuation
	sed -n 's/.*/ & /p' "$page" | grep -o -e ' Fl -[a-z][a-z0-9-]*' | sed 's/ Fl -/--/' | sort -u >"$work/page"
	if [ -s "$work/help" ] && diff "$work/help" "$work/page" >"$work/diff"; then
		ok
	else
		bad "$page: < only in --help, > only in the page"
		cat "$work/diff"
	fi
done
finish

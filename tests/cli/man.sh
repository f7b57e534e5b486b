#!/bin/sh
# The man pages name exactly the options that --help names.
set -u
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
passed=0 failed=0
for tool in "$MOTE_BUILD"/mote-*; do
	[ -x "$tool" ] || continue
	name=$(basename "$tool")
	page=docs/$name.1
	"$tool" --help | grep -o -e '--[a-z][a-z0-9-]*' | sort -u >"$dir/help"
	# in mdoc an option is "Fl -name", perhaps with punctuation
	sed -n 's/.*/ & /p' "$page" | grep -o -e ' Fl -[a-z][a-z0-9-]*' | sed 's/ Fl -/--/' | sort -u >"$dir/page"
	if [ -s "$dir/help" ] && diff "$dir/help" "$dir/page" >"$dir/diff"; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "$page: < only in --help, > only in the page"
		cat "$dir/diff"
	fi
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]

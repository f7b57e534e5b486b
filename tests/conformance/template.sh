#!/bin/sh
# Chat templates against Jinja2's renderings (template.py), and a short run of the differential test where there is
# a Jinja2 to compare with.
set -u
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
python3 tests/conformance/template.py "$MOTE_BUILD/drive_template" "$DATA/templates" >"$folder/goldens"
echo "0 passed, 0 failed" >"$folder/random"
if python3 -c 'import jinja2' 2>/dev/null || /usr/bin/python3 -c 'import jinja2' 2>/dev/null; then
	COUNT=1500 SEED=7 sh tests/differential/template.sh >"$folder/random"
fi
cat "$folder/goldens" "$folder/random"
tail -qn 1 "$folder/goldens" "$folder/random" | awk '{ passed += $1; failed += $3 } END {
	print passed " passed, " failed + 0 " failed"; exit failed > 0 || passed < 600 }'

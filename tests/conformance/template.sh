#!/bin/sh
# Chat templates against Jinja2's renderings (template.py); where there is a Jinja2 to compare with, also the same
# templates with random conversations (template_random.py) and a short run of the differential test.
set -u
export TZ=UTC0 # strftime_now prints local time
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
python3 tests/conformance/template.py "$MOTE_BUILD/drive_template" "$DATA/templates" >"$folder/goldens"
echo "0 passed, 0 failed" | tee "$folder/random" >"$folder/conversations"
for python in python3 /usr/bin/python3; do
	"$python" -c 'import jinja2' 2>/dev/null || continue
	"$python" -W ignore tests/conformance/template_random.py "$MOTE_BUILD/drive_template" "$DATA/templates" 25 \
		>"$folder/conversations"
	COUNT=1500 SEED=7 sh tests/differential/template.sh >"$folder/random"
	break
done
cat "$folder/goldens" "$folder/conversations" "$folder/random"
tail -qn 1 "$folder/goldens" "$folder/conversations" "$folder/random" | awk '{ passed += $1; failed += $3 } END {
	print passed " passed, " failed + 0 " failed"; exit failed > 0 || passed < 600 }'

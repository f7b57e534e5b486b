#!/bin/sh
# Chat templates against Jinja2 itself, on random templates and data: see template.py. COUNT and SEED may be given.
export TZ=UTC0 # strftime_now prints local time
for python in python3 /usr/bin/python3; do
	if "$python" -c 'import jinja2' 2>/dev/null; then
		exec "$python" -W ignore tests/differential/template.py "$MOTE_BUILD/drive_template" "${COUNT:-20000}" \
			"${SEED:-1}"
	fi
done
echo "template.sh: no python3 with jinja2 (Debian: python3-jinja2)" >&2
exit 1

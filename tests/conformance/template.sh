#!/bin/sh
# Chat templates against Jinja2's renderings: see template.py.
exec python3 tests/conformance/template.py "$MOTE_BUILD/drive_template" "$DATA/templates"

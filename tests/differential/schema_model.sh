#!/bin/sh
# What our own trained model answers at temperature 1.5 under random JSON schemas, judged by python3-jsonschema: see
# schema.py. COUNT and SEED may be given.
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
[ -x "$MOTE_BUILD/mote-serve" ] || { echo "0 passed, 0 failed (no server)"; exit 0; }
"$MOTE_BUILD/mote-convert" tests/fixtures/adder -o "$work/m.mote" >/dev/null || exit 1
python3 tests/differential/schema.py "$MOTE_BUILD" "${COUNT:-1000}" "${SEED:-1}" "$work/m.mote"

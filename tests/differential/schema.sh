#!/bin/sh
# What the grammars of JSON schemas write against python3-jsonschema, on random schemas: see schema.py. COUNT and SEED
# may be given.
exec python3 tests/differential/schema.py "$MOTE_BUILD" "${COUNT:-1000}" "${SEED:-1}"

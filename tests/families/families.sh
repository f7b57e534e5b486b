#!/bin/sh
# Every family of models against a reference in PyTorch: see families.py. FAMILIES names some of them.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
/usr/bin/python3 tests/families/families.py "$MOTE_BUILD" "$folder" ${FAMILIES:-}

#!/bin/sh
# mote-train against PyTorch: see training.py.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
/usr/bin/python3 tests/families/training.py "$MOTE_BUILD" "$folder"

#!/bin/sh
# Every family written as a directory and as GGUF, and read again: see both_ways.py.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
/usr/bin/python3 tests/families/both_ways.py "$MOTE_BUILD" "$folder"

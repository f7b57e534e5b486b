#!/bin/sh
# LoRA adapters against PyTorch: see lora.py.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
/usr/bin/python3 tests/families/lora.py "$MOTE_BUILD" "$folder"

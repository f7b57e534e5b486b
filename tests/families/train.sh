#!/bin/sh
# Gradients, losses and optimizer steps against PyTorch: see train.py. DATA has models trained by others.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
/usr/bin/python3 tests/families/train.py "$MOTE_BUILD" "$folder" tests/fixtures/adder \
	$(for model in tiny1m stories260k; do [ ! -d "${DATA:-../shared/data}/models/$model" ] || echo "${DATA:-../shared/data}/models/$model"; done)

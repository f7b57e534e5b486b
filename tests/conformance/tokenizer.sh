#!/bin/sh
# Every text of the tokenizer goldens through mote-convert and mote-tokenize: see tokenizer.py.
exec /usr/bin/python3 "$(dirname "$0")/tokenizer.py"

#!/bin/sh
# Pre-tokenizers against Python's regex over random Unicode: see tokenizer_patterns.py.
exec /usr/bin/python3 "$(dirname "$0")/tokenizer_patterns.py" "$@"

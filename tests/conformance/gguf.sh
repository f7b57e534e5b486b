#!/bin/sh
# GGUF files against a writer of our own and against llama.cpp: see gguf_check.py.
exec /usr/bin/python3 "$(dirname "$0")/gguf_check.py"

#!/bin/sh
# Conversion of the checkpoints in DATA and of one with TRLM's shape: see convert.py.
exec /usr/bin/python3 "$(dirname "$0")/convert.py"

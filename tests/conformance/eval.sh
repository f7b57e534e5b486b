#!/bin/sh
# See eval.py.
exec /usr/bin/python3 "$(dirname "$0")/eval.py"

#!/bin/sh
# See losses.py.
exec /usr/bin/python3 "$(dirname "$0")/losses.py"

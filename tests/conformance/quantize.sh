# mote-quantize against ggml and on trained models: quantize.py.
exec /usr/bin/python3 "$(dirname "$0")/quantize.py"

#!/bin/sh
# Proves the floors from the sources: a file includes only what lies on its own floor or below, by its path from
# the repository's root, and no two files have the same name.
set -u
passed=0 failed=0

# allowed FOLDER -> the folders that its files may include. Tools (mote-NAME.c) may include
# format/tool besides what their folder may.
generate="format runtime/kernels runtime/model runtime/tokenizer runtime/template runtime/chat runtime/generate"
template="format runtime/template/value"
allowed() {
	case $1 in
	format) echo "format" ;;
	format/tool) echo "format format/tool" ;;
	runtime/kernels) echo "format runtime/kernels" ;;
	runtime/kernels/x86 | runtime/kernels/arm) echo "format runtime/kernels $1" ;;
	runtime/model) echo "format runtime/kernels runtime/model" ;;
	runtime/tokenizer) echo "format runtime/tokenizer" ;;
	runtime/template/value) echo "$template" ;;
	runtime/template/parse) echo "$template runtime/template/parse" ;;
	runtime/template/run) echo "$template runtime/template/parse runtime/template/run" ;;
	runtime/template/library) echo "$template runtime/template/run runtime/template/library" ;;
	runtime/template)
		echo "$template runtime/template/parse runtime/template/run runtime/template/library runtime/template runtime/tokenizer" ;;
	runtime/chat) echo "format runtime/tokenizer runtime/template runtime/chat" ;;
	runtime/generate) echo "$generate" ;;
	runtime/serve) echo "$generate runtime/serve" ;;
	runtime) echo "$generate runtime/serve runtime" ;;
	convert | convert/hf | convert/gguf)
		echo "format runtime/kernels runtime/model runtime/tokenizer runtime/template convert convert/hf convert/gguf" ;;
	quant/encode) echo "format runtime/kernels runtime/model quant/encode" ;;
	quant/measure) echo "$generate quant/encode quant/measure" ;;
	quant/receipt) echo "$generate quant/encode quant/measure quant/receipt" ;;
	quant/calibrate) echo "$generate quant/encode quant/measure quant/receipt quant/calibrate" ;;
	quant/eval | quant/train) echo "$generate quant/encode quant/measure quant/receipt quant/calibrate $1" ;;
	quant) echo "$generate quant/encode quant/measure quant/receipt quant/calibrate quant/eval quant/train quant" ;;
	esac
}

for folder in $(find format runtime convert quant -type d | sort); do
	for file in "$folder"/*.c "$folder"/*.h; do
		[ -f "$file" ] || continue
		may=" $(allowed "$folder") "
		case $file in
		*/mote-*.c | runtime/bench*.[ch]) may="$may format/tool " ;;
		esac
		bad=
		for include in $(sed -n 's/^[[:space:]]*#[[:space:]]*include[[:space:]]*"\([^"]*\)".*/\1/p' "$file"); do
			case $may in
			*" $(dirname "$include") "*) [ -f "$include" ] || bad="$bad $include(missing)" ;;
			*) bad="$bad $include" ;;
			esac
		done
		if [ -n "$bad" ]; then
			echo "$file includes$bad; $folder may include only from:$may"
			failed=$((failed + 1))
		else
			passed=$((passed + 1))
		fi
	done
done

twice=$(find format runtime convert quant tests -name '*.[ch]' | sed 's|.*/||' | sort | uniq -d)
if [ -n "$twice" ]; then
	echo "not unique: $twice"
	failed=$((failed + 1))
else
	passed=$((passed + 1))
fi
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]

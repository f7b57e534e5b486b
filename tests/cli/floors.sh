#!/bin/sh
# Proves the floors from the sources: a file includes only what lies on its own floor or below, by its path from
# the repository's root, no two files have the same name, and no line of C is longer than 120 columns.
. tests/script.sh

# allowed FOLDER -> the folders that its files may include. Tools (mote-NAME.c, and NAME.h and NAME_*.c
# beside it) may include format/tool besides what their folder may.
generate="format runtime/kernels runtime/model runtime/tokenizer runtime/template runtime/chat runtime/grammar runtime/generate"
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
	runtime/grammar) echo "format runtime/tokenizer runtime/grammar" ;;
	runtime/generate) echo "$generate" ;;
	runtime/api) echo "$generate runtime/api" ;;
	runtime/serve) echo "format runtime/api runtime/serve" ;;
	runtime) echo "$generate runtime/api runtime/serve runtime" ;;
	convert | convert/hf | convert/gguf)
		echo "format runtime/kernels runtime/model runtime/tokenizer runtime/template convert convert/hf convert/gguf" ;;
	quant/encode) echo "format runtime/kernels runtime/model quant/encode" ;;
	quant/measure) echo "$generate quant/encode quant/measure" ;;
	quant/receipt) echo "$generate quant/encode quant/measure quant/receipt" ;;
	quant/calibrate) echo "$generate quant/encode quant/measure quant/receipt quant/calibrate" ;;
	quant/team) echo "format quant/measure quant/team" ;;
	quant/eval | quant/train) echo "$generate quant/encode quant/measure quant/receipt quant/calibrate $1" ;;
	quant) echo "$generate quant/encode quant/measure quant/receipt quant/calibrate quant/eval quant/train quant" ;;
	esac
}

# one line a file: FILE INCLUDE...
list=$work/list
find format runtime convert quant -name '*.[ch]' | sort | xargs awk '
	FNR == 1 { if (line != "") print line; line = FILENAME }
	/^[ \t]*#[ \t]*include[ \t]*"/ { split($0, part, "\""); line = line " " part[2] }
	END { print line }' >"$list"
while read -r file includes; do
	folder=${file%/*}
	may=" $(allowed "$folder") "
	name=${file##*/}
	name=${name%.[ch]}
	case $name in
	mote-*) tool=$file ;;
	*) tool=$folder/mote-${name%%_*}.c ;;
	esac
	[ ! -f "$tool" ] || may="$may format/tool runtime/api quant/team "
	bad=
	for include in $includes; do
		case $may in
		*" ${include%/*} "*) [ -f "$include" ] || bad="$bad $include(missing)" ;;
		*) bad="$bad $include" ;;
		esac
	done
	if [ -n "$bad" ]; then
		bad "$file includes$bad; $folder may include only from:$may"
	else
		ok
	fi
done <"$list"

twice=$(find format runtime convert quant tests -name '*.[ch]' | sed 's|.*/||' | sort | uniq -d)
none "not unique" "$twice"

# Columns, not bytes: tabs to the next multiple of 8, a character of UTF-8 once, whatever the locale.
long=$(find format runtime convert quant tests docs -name '*.[ch]' | sort | LC_ALL=C xargs awk '
	length($0) > 60 {
		line = $0
		gsub(/[\200-\277]/, "", line)
		columns = 0
		parts = split(line, part, "\t")
		for (i = 1; i <= parts; i++) {
			columns += length(part[i])
			if (i < parts) columns += 8 - columns % 8
		}
		if (columns > 120) print FILENAME ":" FNR ": " columns " columns"
	}')
none "longer than 120 columns" "$long"
finish

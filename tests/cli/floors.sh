#!/bin/sh
# Proves the floors from the sources: a file includes only what lies on its own floor or below, by its path from
# the repository's root, and no two files have the same name.
set -u
passed=0 failed=0

# allowed FOLDER -> the folders that its files may include
allowed() {
	case $1 in
	format) echo "format" ;;
	runtime/kernels) echo "format runtime/kernels" ;;
	runtime/model) echo "format runtime/kernels runtime/model" ;;
	runtime/text) echo "format runtime/kernels runtime/model runtime/text" ;;
	runtime) echo "format runtime/kernels runtime/model runtime/text runtime" ;;
	convert) echo "format runtime/text convert" ;;
	quant) echo "format runtime/kernels runtime/model runtime/text quant" ;;
	esac
}

for folder in format runtime/kernels runtime/model runtime/text runtime convert quant; do
	may=" $(allowed "$folder") "
	for file in "$folder"/*.c "$folder"/*.h; do
		[ -f "$file" ] || continue
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

#!/bin/sh
# What the library shows to the linker: it exports nothing without the mote_ prefix, has no mutable globals, does not
# print or end the process, and its forward pass takes no transcendental function from libm.
. tests/script.sh
library=$build/libmote.a

[ -f "$library" ] || { echo "$library: not there"; exit 1; }
case $MOTE_BUILD in
*release*) ;;
*) echo "only the release build is looked at: sanitizers and coverage add symbols of their own"; exit 0 ;;
esac

exported=$(nm -g --defined-only "$library" 2>/dev/null | awk 'NF == 3 { print $3 }')
[ -n "$exported" ] || { echo "$library: exports nothing"; exit 1; }
none "exported without the mote_ prefix" "$(echo "$exported" | grep -v '^mote_')"

# .data.rel.ro holds constants with pointers in them; .data and .bss are what can change.
none "mutable globals" "$(objdump -t "$library" | awk '($4 ~ /^\.(data|bss)$/ || $3 ~ /^\.(data|bss)$/) && $NF !~ /^\./ { print $NF }')"

none "prints or ends the process" "$(nm -u "$library" 2>/dev/null | awk '{ print $2 }' |
	grep -E '^(stdout|stderr|(__)?v?printf(_chk)?|puts|putchar|perror|exit|_exit|abort|__assert_fail|signal)$' | sort -u)"

objects=$(find "$build/runtime/kernels" "$build/runtime/model" -name '*.o')
none "libm in kernels or model" "$(nm -u $objects 2>/dev/null | awk 'NF == 2 { print $2 }' |
	grep -E '^(exp|exp2|exp10|expm1|log|log2|log10|log1p|pow|sin|cos|tan|sincos|tanh|sinh|cosh|erf|cbrt|hypot|atan|atan2)f?$' | sort -u)"

finish

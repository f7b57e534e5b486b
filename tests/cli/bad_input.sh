#!/bin/sh
# What is wrong with an input is said in one line, with exit code 3, and nothing is left behind: checkpoints damaged
# in many ways, then a damaged container given to every tool.
. tests/script.sh
dir=$work
LC_ALL=C
export LC_ALL
convert=$MOTE_BUILD/mote-convert
model=tests/fixtures/adder
bad=$dir/bad out=$dir/out
mkdir "$out"

fresh() { # a sound checkpoint to damage
	rm -rf "$bad"
	mkdir "$bad"
	for file in config.json generation_config.json tokenizer.json tokenizer_config.json special_tokens_map.json \
		chat_template.jinja model.safetensors; do
		cat "$model/$file" >"$bad/$file"
	done
}
edit() { # FILE SED_SCRIPT; must change something
	sed "$2" "$bad/$1" >"$dir/edited"
	cmp -s "$bad/$1" "$dir/edited" && bad "test is broken: $2 changes nothing in $1"
	cat "$dir/edited" >"$bad/$1"
}
refused() { # WHAT MESSAGE_PART COMMAND...
	what=$1 part=$2
	shift 2
	"$@" >"$dir/stdout" 2>"$dir/stderr"
	code=$?
	lines=$(grep -c . "$dir/stderr")
	if [ "$code" -eq 3 ] && [ "$lines" -eq 1 ] && grep -qF -- "$part" "$dir/stderr" &&
		[ -z "$(ls -A "$out")" ]; then
		ok
	else
		bad "$what: exit code $code (expected 3), left: $(ls -A "$out"), message (expected \"$part\"):"
		cat "$dir/stderr"
		rm -rf "${out:?}"/*
	fi
}
not_converted() { # WHAT MESSAGE_PART [OPTION...]
	what=$1 part=$2
	shift 2
	refused "$what" "$part" "$convert" "$@" "$bad" -o "$out/m.mote"
}

size=$(wc -c <"$model/model.safetensors")
for length in 0 1 7 8 9 100 3000 5000 100000 $((size / 2)) $((size - 1)); do
	fresh
	head -c "$length" "$model/model.safetensors" >"$bad/model.safetensors"
	not_converted "weights cut to $length bytes" model.safetensors
done
fresh
printf x >>"$bad/model.safetensors"
not_converted "a byte too much" "1 bytes follow"

fresh
rm "$bad/model.safetensors"
not_converted "no weights" "neither model.safetensors nor"
printf '{"weight_map":{"model.norm.weight":"model-00001-of-00002.safetensors"}}' >"$bad/model.safetensors.index.json"
not_converted "missing shard" "model-00001-of-00002.safetensors is missing"
ln -s nowhere "$bad/model-00001-of-00002.safetensors"
not_converted "dangling link" 'model-00001-of-00002.safetensors is a symbolic link to "nowhere", which is not there'
for name in ../bad/model.safetensors /etc/passwd ..; do
	printf '{"weight_map":{"model.norm.weight":"%s"}}' "$name" >"$bad/model.safetensors.index.json"
	not_converted "shard name $name" "is refused"
done

fresh
edit model.safetensors 's/layers\.1\.mlp\.down_proj/layers.1.mlp.dawn_proj/'
not_converted "missing tensor" '"model.layers.1.mlp.down_proj.weight" [128, 360] is missing'
fresh
edit config.json 's/"intermediate_size": 360/"intermediate_size": 352/'
not_converted "wrong shape" '[360, 128], but config.json calls for [352, 128]'
fresh
edit config.json 's/"num_hidden_layers": 4/"num_hidden_layers": 3/'
not_converted "superfluous tensor" 'is superfluous'
fresh
edit model.safetensors 's/"dtype":"BF16","shape":\[128\]/"dtype":"I8","shape":[256]  /'
not_converted "dtype I8" 'dtype I8 is not supported'
fresh
edit model.safetensors 's/"dtype":"BF16"/"dtype":"XF16"/'
not_converted "unknown dtype" 'dtype XF16 is not supported'

# the last two bytes of the file are the last element of its last tensor
for value in '\301\177' '\200\177' '\200\377'; do
	fresh
	printf "$value" | dd of="$bad/model.safetensors" bs=1 seek=$((size - 2)) conv=notrunc 2>/dev/null
	not_converted "element $value" '"model.norm.weight": element 127 is'
done
fresh
printf '\200\107' | dd of="$bad/model.safetensors" bs=1 seek=$((size - 2 - 256)) conv=notrunc 2>/dev/null
not_converted "65536 as f16" 'beyond the range of f16' --dtype f16

for name in config.json generation_config.json tokenizer.json tokenizer_config.json special_tokens_map.json; do
	for length in 0 1 40; do
		fresh
		head -c "$length" "$model/$name" >"$bad/$name"
		not_converted "$name cut to $length bytes" "$name"
	done
	fresh
	printf '\377' >>"$bad/$name"
	not_converted "$name with a stray byte" "$name"
done
for name in config.json tokenizer.json; do
	fresh
	rm "$bad/$name"
	not_converted "no $name" "$name is missing"
done
fresh
edit config.json 's/"vocab_size": 506/"vocab_size": 506, "vocab_size": 506/'
not_converted "duplicate key" 'duplicate key "vocab_size"'

# what is refused for its size takes no more memory than what is read (a sanitizer reserves terabytes of addresses)
small() (
	case $MOTE_BUILD in
	*sanitize*) ;;
	*) ulimit -v 400000 ;;
	esac
	exec "$@"
)
numbers() { # COUNT
	head -c "$(($1 * 2))" /dev/zero | sed 's/\x00\x00/1,/g'
}
fresh
{ printf '{"version":['; numbers 10000000; printf '1]}'; } >"$bad/tokenizer.json"
refused "tokenizer.json of 10 million numbers" "tokenizer.json: line 1, column" small "$convert" "$bad" -o "$out/m.mote"
fresh
{ printf '{"eos_token_id":['; numbers 4000000; printf '1]}'; } >"$bad/generation_config.json"
refused "generation_config.json of 4 million numbers" "more than 262144 values" small "$convert" "$bad" -o "$out/m.mote"
head -c 20000000 /dev/zero >"$bad/generation_config.json"
refused "generation_config.json of 20 MB" "20000000 bytes; at most 16777216 are read" small "$convert" "$bad" \
	-o "$out/m.mote"
fresh
{ printf '\000\000\000\005\000\000\000\000'; head -c 83886080 /dev/zero; } >"$bad/model.safetensors"
refused "safetensors header of 84 MB" "header of 83886080 bytes; at most 33554432 are read" small "$convert" "$bad" \
	-o "$out/m.mote"

for architecture in MixtralForCausalLM Qwen3MoeForCausalLM Gemma3ForConditionalGeneration MambaForCausalLM; do
	fresh
	edit config.json "s/LlamaForCausalLM/$architecture/"
	not_converted "$architecture" "$architecture"
done
for kind in ntk mrope; do
	fresh
	edit config.json "s/\"rope_scaling\": null/\"rope_scaling\": {\"rope_type\": \"$kind\", \"factor\": 2.0}/"
	not_converted "RoPE $kind" "\"$kind\""
done
for setting in '"qkv_bias": true' '"use_qk_norm": true' '"quantization_config": {"bits": 4}' '"sliding_window": 64'; do
	fresh
	edit config.json "s/\"attention_bias\": false/\"x\": 0/;s/\"mlp_bias\": false/$setting/"
	not_converted "$setting" "$(echo "$setting" | cut -d: -f1)"
done

fresh
edit tokenizer.json 's/"Ġ": *[0-9]*/"Ġ": 5000/'
not_converted "a token beyond the rows of the model" "tokenizer.json"
fresh
edit config.json 's/"vocab_size": 506/"vocab_size": 500/'
edit model.safetensors 's/\[506,128\]/[506,128]/;s/__never__//;s/"shape":\[506,128\],"data_offsets":\[0,129536\]/"shape":[500,128],"data_offsets":[0,128000]/'
not_converted "holes in the data" "a hole"

# A container, for every tool that reads one.
rm -rf "${out:?}"/*
good=$dir/good.mote damaged=$dir/damaged.mote
"$convert" -q "$model" -o "$good" || exit 1
printf 'one two three\n' >"$dir/text"
size=$(wc -c <"$good")
refused_by_all() { # what is wrong: in $damage
	for tool in inspect run tokenize bench perplexity quantize; do
		[ -x "$MOTE_BUILD/mote-$tool" ] || continue
		case $tool in
		inspect) set -- ;;
		run | tokenize) set -- -p hello ;;
		bench) set -- -p 1 -n 1 ;;
		perplexity) set -- -f "$dir/text" ;;
		quantize) set -- -o "$out/q.mote" --type q8 ;;
		esac
		refused "mote-$tool, $damage" damaged.mote "$MOTE_BUILD/mote-$tool" "$damaged" "$@"
	done
}
for length in 0 1 15 63 64 4095 4096 10000 $((size / 2)) $((size - 1)); do
	head -c "$length" "$good" >"$damaged"
	damage="cut to $length bytes"
	refused_by_all
done
{ cat "$good"; printf x; } >"$damaged"
damage="a byte too much"
refused_by_all
cat "$good" >"$damaged"
printf '\377' | dd of="$damaged" bs=1 seek=9 conv=notrunc 2>/dev/null
damage="a byte of the header changed"
refused_by_all
cat "$model/model.safetensors" >"$damaged"
damage="not a container"
refused_by_all

finish

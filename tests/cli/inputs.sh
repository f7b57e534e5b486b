#!/bin/sh
# What mote-convert reads it does not replace, whatever it is called; what it writes can be read.
. tests/script.sh
model=tests/fixtures/adder

# An adapter that changes nothing; the model in two shards of which each names the same copies ("__metadata__"), the
# first called like a file of mote's; and a config that is nested as deep as JSON may be.
cat >"$work/make.py" <<'EOF'
import json, os, shutil, struct, sys
model, work = sys.argv[1:]

def write(path, header, data):
    text = json.dumps(header, separators=(",", ":")).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)

with open(model + "/model.safetensors", "rb") as file:
    size, = struct.unpack("<Q", file.read(8))
    header = json.loads(file.read(size))
    data = file.read()
header.pop("__metadata__", None)
name = next(name for name in header if name.endswith("q_proj.weight"))
rows, cols = header[name]["shape"]
module = "base_model.model." + name[:-len(".weight")]
os.mkdir(work + "/lora")
write(work + "/lora/adapter_model.safetensors",
      {module + ".lora_A.weight": {"dtype": "F32", "shape": [1, cols], "data_offsets": [0, 4 * cols]},
       module + ".lora_B.weight": {"dtype": "F32", "shape": [rows, 1],
                                   "data_offsets": [4 * cols, 4 * (cols + rows)]}}, bytes(4 * (cols + rows)))
with open(work + "/lora/adapter_config.json", "w") as file:
    json.dump({"peft_type": "LORA", "r": 1, "lora_alpha": 1}, file)

shards = work + "/shards"
shutil.copytree(model, shards)
os.remove(shards + "/model.safetensors")
copies = {"copy %d" % i: name for i in range(30000)}
table = "model.layers.0.self_attn.rotary_emb.inv_freq"  # of which no model needs any
write(shards + "/first.mote", dict(header, __metadata__=copies), data)
write(shards + "/second.safetensors",
      {"__metadata__": copies, table: {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}, bytes(4))
with open(shards + "/model.safetensors.index.json", "w") as file:
    places = {name: "first.mote" for name in header}
    json.dump({"weight_map": dict(places, **{table: "second.safetensors"})}, file)

shutil.copytree(model, work + "/deep")
with open(work + "/deep/generation_config.json", "w") as file:
    file.write('{"deep":' + "[" * 127 + "1" + "]" * 127 + "}")
EOF
python3 "$work/make.py" $model "$work" || exit 1

# stays FILE COMMAND...: exit code 2, and FILE is what it was
stays() {
	file=$1
	shift
	cp "$file" "$work/copy"
	"$@" >"$work/out" 2>"$work/err" </dev/null
	got=$?
	if [ $got -eq 2 ] && grep -q 'is an input, .*, and is not replaced' "$work/err"; then
		ok
	else
		bad "exit code $got: $*: $(cat "$work/err")"
	fi
	if cmp -s "$file" "$work/copy"; then ok; else bad "replaced by $*"; fi
}
adapter=$work/lora/adapter_model.safetensors
stays "$adapter" "$build/mote-convert" $model --lora "$work/lora" -o "$adapter" -f
stays "$adapter" "$build/mote-convert" $model --lora "$work/lora:0.5" -o "$work/lora/../lora/adapter_config.json" -f
ln -s lora/adapter_model.safetensors "$work/link.mote"
stays "$adapter" "$build/mote-convert" $model --lora "$work/lora" -o "$work/link.mote" -f
stays "$work/shards/first.mote" "$build/mote-convert" "$work/shards" -o "$work/shards/first.mote" -f

# Nor by a file of the directory that a container becomes, which can be a link to it.
"$build/mote-convert" $model -o "$work/source.mote" -q || bad "convert"
mkdir "$work/directory"
ln -s ../source.mote "$work/directory/model.safetensors"
stays "$work/source.mote" "$build/mote-convert" "$work/source.mote" -o "$work/directory/" -f

# The same copies in both shards are no two weights.
"$build/mote-convert" $model -o "$work/whole.mote" -q || bad "convert"
"$build/mote-convert" "$work/shards" -o "$work/shards.mote" -q || bad "shards"
for file in whole shards; do
	"$build/mote-inspect" "$work/$file.mote" --json |
		python3 -c 'import json, sys; print(json.load(sys.stdin)["tensors_hash"])' >"$work/$file.hash"
done
if cmp -s "$work/whole.hash" "$work/shards.hash"; then ok; else bad "the shards make another model"; fi

# Metadata that no reader takes make no file.
"$build/mote-convert" "$work/deep" -o "$work/deep.mote" -q 2>"$work/err"
got=$?
if [ $got -eq 3 ] && grep -q 'nested too deep' "$work/err" && [ ! -e "$work/deep.mote" ]; then
	ok
else
	bad "metadata nested too deep: exit code $got: $(cat "$work/err")"
fi

# A file's name may be any bytes; JSON is UTF-8.
name=$work/$(printf 'x\377y')
"$build/mote-convert" "$work/whole.mote" -o "$name.gguf" -q || bad "to GGUF"
"$build/mote-convert" "$name.gguf" -o "$name.mote" --json >"$work/out" || bad "from GGUF"
if python3 -c 'import json, sys; assert "\ufffdy" in json.load(open(sys.argv[1]))["file"]' "$work/out"; then
	ok
else
	bad "a report that is no JSON"
fi
if "$build/mote-inspect" "$name.mote" >/dev/null; then ok; else bad "a file that cannot be read"; fi
head -c 600 $model/heldout.txt >"$name.txt"
"$build/mote-perplexity" "$work/whole.mote" -f "$name.txt" -c 64 -t 1 --stamp >/dev/null 2>&1 || bad "perplexity"
if "$build/mote-inspect" "$work/whole.mote" >"$work/out"; then ok; else bad "a receipt made the model unreadable"; fi
grep -q '"x.*y.txt"' "$work/out" || bad "no receipt of the text: $(grep 'measured on' "$work/out")"

finish

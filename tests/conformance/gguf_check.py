#!/usr/bin/python3
"""GGUF both ways.

Without anything from outside: a checkpoint written as GGUF by gguf.py becomes the same container as its directory, with the
same ids for a text; and exported again it is the same file's tensors, bit for bit.

With llama.cpp (the npm package node-llama-cpp, installed into build/npm; when npm cannot be reached that is said, and these
are skipped): every type decodes to the values of its dequantize functions, blocks of plain rounding are those of its
quantize functions, and what mote exports loads there, gives the same ids, and on the same blocks the same distributions:
largest probability at the same token in 99.5 % of the positions, KL divergence of at most 1e-3. Both programs round activations
before they multiply them with quantized weights, each in its own way, and either alone is up to 9e-4 away from exact products;
so llama.cpp is compared with exact products of the same blocks (and with mote's own for the record), and of the positions those
count where the largest probability leads by more than 0.1. A model of random weights (TRLM's shape) multiplies such rounding
layer after layer until nothing is left to compare: there the quantized files have to load and give the same ids.
A checkpoint of each family of tests/families, with random f32 weights, is compared in the same way; the probabilities of such
models lie close together, so a lead counts from a thousandth of the largest on (at a KL divergence of 6e-8 they differ by a third of that).
"""
import ctypes
import glob
import json
import os
import shutil
import subprocess
import sys
import tempfile

import numpy as np

import gguf

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "families"))
from both_ways import REFUSED  # noqa: E402
from checkpoints import CASES, random_tensors, write_checkpoint  # noqa: E402

BUILD, DATA = os.environ["MOTE_BUILD"], os.environ["DATA"]
HERE = os.path.dirname(os.path.abspath(__file__))
FIXTURE = "tests/fixtures/adder"
passed, failed = 0, 0


def check(what, good, detail=""):
	global passed, failed
	passed, failed = passed + bool(good), failed + (not good)
	print("%s  %s %s" % ("ok  " if good else "FAIL", what, detail))


def run(*command, expect=0):
	r = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
	if r.returncode != expect:
		raise SystemExit("%s: exit code %d: %s" % (" ".join(command), r.returncode, r.stderr.decode()))
	return r.stdout


def convert(source, target, *options):
	run(BUILD + "/mote-convert", "-q", "--force", source, "-o", target, *options)


def inspect(path):
	return json.loads(run(BUILD + "/mote-inspect", "--json", path))


def ids_of(path, text):
	return run(BUILD + "/mote-tokenize", path, "-f", text)


def text_of(name, folder, size):
	path = "%s/heldout.txt" % FIXTURE if name == "adder" else DATA + "/text/tinystories.txt"
	out = "%s/%s.txt" % (folder, name)
	data = open(path, "rb").read(size).decode("utf-8", "ignore")
	open(out, "w").write(data)
	return out


def import_and_back(folder, models):
	for name, source in models.items():
		direct, file = folder + "/direct.mote", folder + "/m.gguf"
		convert(source, direct)
		gguf.make(source, file, "keep")
		convert(file, folder + "/imported.mote")
		a, b = inspect(direct), inspect(folder + "/imported.mote")
		check("%s: the same tensors from GGUF" % name, a["tensors_hash"] == b["tensors_hash"])
		check("%s: the same model and templates" % name, a["metadata"]["model"] == b["metadata"]["model"] and
		      a["metadata"]["chat_templates"] == b["metadata"]["chat_templates"])
		text = text_of(name, folder, 200000)
		check("%s: the same ids" % name, ids_of(direct, text) == ids_of(folder + "/imported.mote", text))
		convert(direct, folder + "/back.gguf")
		x, y = gguf.Reader(file), gguf.Reader(folder + "/back.gguf")
		check("%s: exported, the same tensors" % name, x.tensors == y.tensors)
		keys = [k for k in x.values if k.split(".")[0] in ("llama", "tokenizer") and k != "tokenizer.ggml.scores"]
		wrong = [k for k in keys if x.values[k] != y.values.get(k)]
		check("%s: exported, the same key-values" % name, not wrong, wrong)
		shutil.rmtree(folder + "/dir", ignore_errors=True)
		convert(direct, folder + "/dir/")
		convert(folder + "/dir", folder + "/again.mote")
		again = inspect(folder + "/again.mote")
		check("%s: as a directory and back, the same" % name, again["tensors_hash"] == a["tensors_hash"] and
		      again["metadata"]["tokens"] == a["metadata"]["tokens"])
		for kind in ("Q8_0", "Q4_0", "IQ4_NL"):
			gguf.make(source, file, kind)
			convert(file, folder + "/quants.mote")
			convert(folder + "/quants.mote", folder + "/back.gguf")
			check("%s: %s to mote and back, bit for bit" % (name, kind),
			      gguf.Reader(file).tensors == gguf.Reader(folder + "/back.gguf").tensors)


def install():
	"""The folder with the npm packages; None when npm cannot be reached."""
	folder = os.path.abspath("build/npm")
	if not glob.glob(folder + "/node_modules/@huggingface/gguf/package.json"):
		os.makedirs(folder, exist_ok=True)
		open(folder + "/package.json", "w").write('{"private":true}')
		r = subprocess.run(["npm", "install", "--ignore-scripts", "--omit=optional", "node-llama-cpp@3.22.1",
				    "@node-llama-cpp/linux-x64@3.22.1", "@huggingface/gguf@0.4.6"], cwd=folder,
				   stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
		if r.returncode:
			print("SKIPPED: npm cannot be reached, so nothing is compared with llama.cpp:\n" + r.stdout.decode()[-500:])
			return None
	return folder


def synthetic(folder, kind):
	"""A model of random blocks, wide enough for every type: its GGUF file, and what it was made of."""
	config = {"hidden_size": 256, "num_hidden_layers": 1, "num_attention_heads": 4, "num_key_value_heads": 2,
		  "intermediate_size": 512, "vocab_size": 506, "max_position_embeddings": 64, "rms_norm_eps": 1e-5, "rope_theta": 1e4,
		  "bos_token_id": 1, "eos_token_id": 2}
	shapes = {"token_embd.weight": (506, 256), "output_norm.weight": (256,)}
	for name, shape in (("attn_norm", (256,)), ("attn_q", (256, 256)), ("attn_k", (128, 256)), ("attn_v", (128, 256)),
			    ("attn_output", (256, 256)), ("ffn_norm", (256,)), ("ffn_gate", (512, 256)), ("ffn_up", (512, 256)),
			    ("ffn_down", (256, 512))):
		shapes["blk.0.%s.weight" % name] = shape
	tensors = []
	for i, (name, shape) in enumerate(shapes.items()):
		x = np.random.default_rng(i).normal(0, 0.1, shape).astype(np.float32)
		which = kind if len(shape) == 2 else "F32"
		tensors.append((name, which, shape, gguf.encode(x, which)))
	gguf.write(folder + "/types.gguf", gguf.values_of(FIXTURE, config), tensors)
	return tensors


def unpermute(x, heads):
	return x.reshape(heads, x.shape[0] // heads // 2, 2, -1).swapaxes(1, 2).reshape(x.shape)


LOWER = {"Q4_0": "q4_0", "Q4_1": "q4_1", "Q5_0": "q5_0", "Q5_1": "q5_1", "Q8_0": "q8_0", "Q2_K": "q2_K", "Q3_K": "q3_K",
	 "Q4_K": "q4_K", "Q5_K": "q5_K", "Q6_K": "q6_K", "IQ4_NL": "iq4_nl", "IQ4_XS": "iq4_xs"}


def decodes(what, folder, file, tensors, library):
	"""What mote makes of a file's matrices against the values that the library's functions give."""
	convert(file, folder + "/types.mote")
	shutil.rmtree(folder + "/dir", ignore_errors=True)
	convert(folder + "/types.mote", folder + "/dir/")
	got = gguf.safetensors(folder + "/dir/model.safetensors")
	names = {gguf.gguf_name(n): n for n in got}
	wrong = []
	for tensor, which, shape, raw in tensors:
		if which == "F32":
			continue
		expected = np.empty(shape, np.float32)
		decode = getattr(library, "dequantize_row_" + LOWER[which])
		decode.argtypes = [ctypes.c_char_p, ctypes.c_void_p, ctypes.c_int64]
		decode(raw, expected.ctypes.data, expected.size)
		heads = {"attn_q": 4, "attn_k": 2}.get(tensor.split(".")[-2])
		if heads:
			expected = unpermute(expected, heads)
		if not np.array_equal(expected.view(np.uint32), got[names[tensor]][1].view(np.uint32)):
			wrong.append(tensor)
	check("%s decodes as llama.cpp does" % what, not wrong, wrong)


class QuantizeParameters(ctypes.Structure):
	"""llama_model_quantize_params: what is set here are its first fields; the rest are pointers, and room for more."""
	_fields_ = [("threads", ctypes.c_int32), ("file_type", ctypes.c_int32), ("output", ctypes.c_int32), ("embedding", ctypes.c_int32),
		    ("rest", ctypes.c_uint8 * 240)]


def quantized_by_llama(folder, place, library):
	"""Files that llama.cpp's own quantizer makes, each a mixture of types around the one it is called by."""
	synthetic(folder, "F32")
	os.rename(folder + "/types.gguf", folder + "/source.gguf")
	ggml = ctypes.CDLL(glob.glob(place + "/libggml.*so")[0], ctypes.RTLD_GLOBAL)
	ggml.ggml_backend_load_all_from_path.argtypes = [ctypes.c_char_p]
	ggml.ggml_backend_load_all_from_path(place.encode())
	llama = ctypes.CDLL(glob.glob(place + "/libllama.*so")[0])
	silent = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)(lambda *_: None)
	llama.llama_log_set(silent, None)
	llama.llama_model_quantize_default_params.restype = QuantizeParameters
	llama.llama_model_quantize.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.POINTER(QuantizeParameters)]
	seen = set()
	for name, number in (("Q8_0", 7), ("Q4_0", 2), ("Q4_1", 3), ("Q5_0", 8), ("Q5_1", 9), ("Q2_K", 10), ("Q3_K_M", 12), ("Q4_K_M", 15),
			     ("Q5_K_M", 17), ("Q6_K", 18), ("IQ4_NL", 25), ("IQ4_XS", 30)):
		parameters = llama.llama_model_quantize_default_params()
		parameters.threads, parameters.file_type = 2, number
		out = folder + "/quantized.gguf"
		if llama.llama_model_quantize((folder + "/source.gguf").encode(), out.encode(), ctypes.byref(parameters)):
			check("llama.cpp makes a file of type " + name, False)
			continue
		tensors = [(t, which, shape, raw) for t, (which, shape, raw) in gguf.Reader(out).tensors.items()]
		seen |= {t[1] for t in tensors}
		decodes("a file made by its quantizer, " + name, folder, out, tensors, library)
	check("all types were among them", set(LOWER) <= seen, set(LOWER) - seen)


def all_types(folder, library):
	for kind in LOWER:
		decodes(kind, folder, folder + "/types.gguf", synthetic(folder, kind), library)
	x = np.random.default_rng(3).normal(0, 0.1, 1 << 16).astype(np.float32)
	x[:32] = 0
	for kind, name in (("Q8_0", "quantize_row_q8_0_ref"), ("Q4_0", "quantize_row_q4_0_ref")):
		out = ctypes.create_string_buffer(len(gguf.encode(x, kind)))
		quantize = getattr(library, name)
		quantize.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64]
		quantize(x.ctypes.data, out, x.size)
		check("gguf.py's own %s is llama.cpp's" % kind, out.raw == gguf.encode(x, kind))


def plain_rounding(folder, models, library):
	"""Blocks that mote-quantize makes for GGUF by plain rounding, against those functions, on the fixture's weights."""
	for name, source in models.items():
		config = json.load(open(source + "/config.json"))
		convert(source, folder + "/m.mote")
		for kind, type_name in (("Q8_0", "q8"), ("Q4_0", "q4")):
			run(BUILD + "/mote-quantize", folder + "/m.mote", "-o", folder + "/q.mote", "--force", "-q", "--type", type_name,
			    "--encoder", "round", "--for", "gguf", "--no-validate")
			convert(folder + "/q.mote", folder + "/q.gguf")
			expected = {t[0]: t for t in gguf.tensors_of(source, config, kind)}
			got, same, other = gguf.Reader(folder + "/q.gguf").tensors, 0, []
			for tensor, (which, shape, raw) in got.items():
				if which != kind:
					continue
				if raw == expected[tensor][3]:
					same += 1
				else:
					other.append(tensor)
			check("%s: %s of plain rounding is llama.cpp's, byte for byte" % (name, kind), same and not other, other[:3])


def build_helper(folder):
	libraries = subprocess.check_output(["pkg-config", "--libs", "libzstd", "libcjson", "libutf8proc", "libxxhash",
					     "libpcre2-8"]).decode().split()
	run(os.environ.get("CC", "cc").split()[-1], "-std=c11", "-D_GNU_SOURCE", "-O1", "-I.", HERE + "/gguf_logits.c",
	    BUILD + "/libmote.a", *libraries, "-lm", "-pthread", "-o", folder + "/logits")


def probabilities(folder, model, text, positions):
	out = folder + "/out"
	run(folder + "/logits", model, text, str(positions), out)
	ids = json.load(open(out + ".ids"))
	logits = np.fromfile(out + ".logits", np.float32).reshape(min(positions, len(ids)), -1).astype(np.float64)
	p = np.exp(logits - logits.max(1, keepdims=True))
	return ids, p / p.sum(1, keepdims=True)


def divergence(p, q):
	return (p * (np.log(np.maximum(p, 1e-30)) - np.log(np.maximum(q, 1e-30)))).sum(1).mean()


def compare(what, folder, packages, model, text, positions, quantized, random):
	convert(model, folder + "/x.gguf")
	ids, own = probabilities(folder, model, text, positions)
	exact = own
	if quantized:
		shutil.rmtree(folder + "/dir", ignore_errors=True)
		convert(model, folder + "/dir/")
		convert(folder + "/dir", folder + "/exact.mote")
		exact = probabilities(folder, folder + "/exact.mote", text, positions)[1]
	run("node", HERE + "/gguf_llama.mjs", packages, folder + "/x.gguf", text, str(positions), folder + "/theirs")
	other = json.load(open(folder + "/theirs.ids"))
	check("%s: the same %d ids" % (what, len(ids)), ids == other)
	if ids != other:
		return
	theirs = np.fromfile(folder + "/theirs.probs", np.float32).reshape(len(exact), -1).astype(np.float64)
	exact, own = exact[:, :theirs.shape[1]], own[:, :theirs.shape[1]]
	kl = divergence(exact, theirs)
	if quantized and random:
		check("%s: loads and computes (KL divergence %.1e, mote's own %.1e)" % (what, kl, divergence(own, theirs)),
		      np.isfinite(theirs).all() and np.allclose(theirs.sum(1), 1, atol=1e-3))
		return
	ranked = np.sort(exact, 1)
	clear = ranked[:, -1] - ranked[:, -2] > (0.1 if quantized else 1e-3 * ranked[:, -1])
	same = exact.argmax(1) == theirs.argmax(1)
	check("%s: KL divergence %.1e (mote's own %.1e), same top token %.1f %% (%.1f %% where it is clear)" %
	      (what, kl, divergence(own, theirs), 100 * same.mean(), 100 * same[clear].mean() if clear.any() else 100),
	      kl <= 1e-3 and (same[clear].mean() if clear.any() else 1) >= 0.995)


def trlm(folder):
	"""A checkpoint of TRLM's shape with random weights."""
	tool = os.path.join(DATA, "..", "tools", "make_trlm_checkpoint.py")
	if not os.path.exists(tool):
		return None
	run("/usr/bin/python3", tool, folder + "/trlm")
	return folder + "/trlm"


def against_llama(folder, packages, models):
	build_helper(folder)
	shape = trlm(folder)
	if shape:
		models = dict(models, trlm=shape)
	for name, source in models.items():
		text = text_of(name, folder, 2000 if name != "trlm" else 700)
		positions = 256 if name != "trlm" else 48
		convert(source, folder + "/f32.mote", "--dtype", "f32")
		compare(name + " F32", folder, packages, folder + "/f32.mote", text, positions, False, name == "trlm")
		for kind in ("q8", "q4"):
			run(BUILD + "/mote-quantize", folder + "/f32.mote", "-o", folder + "/q.mote", "--force", "-q", "--type", kind,
			    "--encoder", "round", "--for", "gguf", "--no-validate")
			compare("%s %s" % (name, kind), folder, packages, folder + "/q.mote", text, positions, True, name == "trlm")


def learned(text, size):
	"""A byte-level vocabulary whose merges were learned without any cuts, and are short, so that every cut shows in the ids."""
	visible = list(range(33, 127)) + list(range(161, 173)) + list(range(174, 256))
	hidden = [i for i in range(256) if i not in visible]
	letter = {x: chr(x) for x in visible}
	letter.update({x: chr(256 + i) for i, x in enumerate(hidden)})
	tokens, merges = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"] + [letter[i] for i in range(256)], []
	pieces = [letter[x] for x in text.encode()]
	while len(tokens) < size:
		pairs = [(a, b) for a, b in zip(pieces, pieces[1:]) if len(a + b) < 5 and a + b not in tokens]
		if not pairs:
			break
		a, b = max(sorted(set(pairs)), key=pairs.count)
		merges.append(a + " " + b)
		tokens.append(a + b)
		out = []
		for piece in pieces:
			if out and out[-1] == a and piece == b:
				out[-1] = a + b
			else:
				out.append(piece)
		pieces = out
	tokens += ["unused%d" % i for i in range(len(tokens), size)]
	return {"tokenizer.ggml.tokens": tokens, "tokenizer.ggml.merges": merges, "tokenizer.ggml.token_type": [3] * 3 + [1] * (size - 3)}


def cuts(folder, packages):
	"""Every way to cut a text that has a name: the ids of a text, and the name again when the file is written anew."""
	config = json.load(open(FIXTURE + "/config.json"))
	values, tensors, path = gguf.values_of(FIXTURE, config), gguf.tensors_of(FIXTURE, config, "F16"), folder + "/cuts.txt"
	text = "Hello World! It's 12345 o'clock, WE'LL see: camelCase HTTPServer_x42  /path/to\n\n  tabs\tand   spaces \n" + \
		"a+b==c|d ~ $5.00 <tag> x_y 'quoted' I'm DON'T a1b22c333d4444 end.\r\nLast line... \u00e9t\u00e9 \u4e2d\u6587  "
	open(path, "w", newline="").write(text)
	own_values = learned(text, config["vocab_size"])
	seen = set()
	first = ("smollm", "gpt-2", "llama-bpe", "qwen2", "stablelm2", "dbrx", "tekken", "gpt-4o", "deepseek-v3", "deepseek-coder",
		 "minicpm5", "default")
	for name in first + ("exaone4", "hunyuan-dense", "pixtral"):
		own_values["tokenizer.ggml.pre"], file = name, folder + "/cuts.gguf"
		gguf.write(file, [(k, kind, own_values.get(k, x)) for k, kind, x in values], tensors)
		convert(file, folder + "/cuts.mote")
		own = [int(x) for x in ids_of(folder + "/cuts.mote", path).split()]
		seen.add(tuple(own))
		run("node", HERE + "/gguf_llama.mjs", packages, file, path, "1", folder + "/theirs")
		theirs = json.load(open(folder + "/theirs.ids"))
		check("cut as %s: the same %d ids" % (name, len(own)), own == theirs, "" if own == theirs else (own, theirs))
		if name not in first:
			continue
		convert(folder + "/cuts.mote", folder + "/again.gguf")
		check("and the same name", gguf.Reader(folder + "/again.gguf").values["tokenizer.ggml.pre"] == name)
	check("the cuts differ", len(seen) >= 5, len(seen))


def families(folder, packages):
	"""A small random checkpoint of each family. llama.cpp has no windows in "llama" and "phi3": there only positions within."""
	text = folder + "/letters.txt"
	open(text, "w").write("".join(np.random.default_rng(5).choice(["a", "b", "ab"], 200)))
	for i, (name, (config, _)) in enumerate(CASES.items()):
		write_checkpoint(folder + "/family", config, random_tensors(config, i))
		convert(folder + "/family", folder + "/family.mote")
		window = config.get("sliding_window") if config["model_type"] in ("mistral", "phi3") else None
		if name not in REFUSED:
			compare(name, folder, packages, folder + "/family.mote", text, min(128, window or 128), False, False)


def main():
	models = {"adder": FIXTURE, "stories260k": DATA + "/models/stories260k", "tiny1m": DATA + "/models/tiny1m"}
	folder = tempfile.mkdtemp()
	try:
		import_and_back(folder, models)
		plain_rounding(folder, models, None)
		packages = install()
		if packages:
			library = glob.glob(packages + "/node_modules/@node-llama-cpp/linux-x64/bins/*/libggml-base.so")
			base = ctypes.CDLL(library[0], ctypes.RTLD_GLOBAL)
			all_types(folder, base)
			quantized_by_llama(folder, os.path.dirname(library[0]), base)
			against_llama(folder, packages, models)
			cuts(folder, packages)
			families(folder, packages)
	finally:
		shutil.rmtree(folder)
	print("%d passed, %d failed" % (passed, failed))
	sys.exit(failed > 0)


if __name__ == "__main__":
	main()

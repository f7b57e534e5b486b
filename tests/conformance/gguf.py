#!/usr/bin/env python3
"""Writes and reads GGUF files for tests, from the format's description: nothing here is shared with mote.

  gguf.py make DIR OUT [TYPE] [OPTION...]   a checkpoint of the Llama kind as a GGUF file, matrices in TYPE (default F32)
  gguf.py same A B                          the two files hold the same tensors, bit for bit
  gguf.py list FILE                         key-values and tensors, a line each
"""
import json
import struct
import sys

import numpy as np

U8, I8, U16, I16, U32, I32, F32, BOOL, STRING, ARRAY, U64, I64, F64 = range(13)
SIZES = {"F32": (0, 1, 4), "F16": (1, 1, 2), "Q4_0": (2, 32, 18), "Q4_1": (3, 32, 20), "Q5_0": (6, 32, 22), "Q5_1": (7, 32, 24),
	 "Q8_0": (8, 32, 34), "Q2_K": (10, 256, 84), "Q3_K": (11, 256, 110), "Q4_K": (12, 256, 144), "Q5_K": (13, 256, 176),
	 "Q6_K": (14, 256, 210), "IQ4_NL": (20, 32, 18), "IQ4_XS": (23, 256, 136), "BF16": (30, 1, 2)}
SCALAR = {U8: "B", I8: "b", U16: "H", I16: "h", U32: "I", I32: "i", F32: "f", BOOL: "B", U64: "Q", I64: "q", F64: "d"}


def text(s):
	data = s if isinstance(s, bytes) else s.encode()
	return struct.pack("<Q", len(data)) + data


def value(kind, x):
	if kind == STRING:
		return text(x)
	if isinstance(kind, tuple):  # (ARRAY, element kind)
		return struct.pack("<IQ", kind[1], len(x)) + b"".join(value(kind[1], y) for y in x)
	return struct.pack("<" + SCALAR[kind], x)


def write(path, values, tensors, alignment=32, version=3):
	"""values: [(key, kind, x)]; tensors: [(name, type name, shape outermost first, bytes)]"""
	out = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(values))
	for key, kind, x in values:
		out += text(key) + struct.pack("<I", ARRAY if isinstance(kind, tuple) else kind) + value(kind, x)
	at = 0
	for name, kind, shape, data in tensors:
		out += text(name) + struct.pack("<I", len(shape)) + b"".join(struct.pack("<Q", n) for n in reversed(shape))
		out += struct.pack("<IQ", SIZES[kind][0], at)
		at += -(-len(data) // alignment) * alignment
	with open(path, "wb") as f:
		f.write(out + b"\0" * (-len(out) % alignment))
		for _, _, _, data in tensors:
			f.write(data + b"\0" * (-len(data) % alignment))


class Reader:
	def __init__(self, path):
		self.data = open(path, "rb").read()
		self.at = 4
		assert self.data[:4] == b"GGUF", path
		self.version, n_tensors, n_values = self.take("<IQQ")
		self.values, self.kinds, self.tensors = {}, {}, {}
		for _ in range(n_values):
			key = self.string().decode()
			kind = self.take("<I")[0]
			self.values[key] = self.read(kind)
			self.kinds[key] = kind
		infos = []
		for _ in range(n_tensors):
			name = self.string().decode()
			rank = self.take("<I")[0]
			shape = tuple(reversed(self.take("<%dQ" % rank)))
			infos.append((name, shape) + self.take("<IQ"))
		alignment = self.values.get("general.alignment", 32)
		start = -(-self.at // alignment) * alignment
		for name, shape, kind, offset in infos:
			kind = next(k for k, v in SIZES.items() if v[0] == kind)
			size = int(np.prod(shape)) // SIZES[kind][1] * SIZES[kind][2]
			assert offset % alignment == 0
			self.tensors[name] = (kind, shape, self.data[start + offset:start + offset + size])
			assert len(self.tensors[name][2]) == size, name

	def take(self, layout):
		x = struct.unpack_from(layout, self.data, self.at)
		self.at += struct.calcsize(layout)
		return x

	def string(self):
		n = self.take("<Q")[0]
		self.at += n
		return self.data[self.at - n:self.at]

	def read(self, kind):
		if kind == STRING:
			return self.string().decode()
		if kind == ARRAY:
			kind, n = self.take("<IQ")
			return [self.read(kind) for _ in range(n)]
		x = self.take("<" + SCALAR[kind])[0]
		return bool(x) if kind == BOOL else x


def safetensors(path):
	"""name: (dtype, array of f32)"""
	data = open(path, "rb").read()
	n = struct.unpack("<Q", data[:8])[0]
	out = {}
	for name, t in json.loads(data[8:8 + n]).items():
		if name == "__metadata__":
			continue
		raw = data[8 + n + t["data_offsets"][0]:8 + n + t["data_offsets"][1]]
		if t["dtype"] == "BF16":
			x = (np.frombuffer(raw, "<u2").astype(np.uint32) << 16).view(np.float32)
		else:
			x = np.frombuffer(raw, {"F32": "<f4", "F16": "<f2"}[t["dtype"]]).astype(np.float32)
		out[name] = (t["dtype"], x.reshape(t["shape"]))
	return out


def permute(x, heads):
	return x.reshape(heads, 2, x.shape[0] // heads // 2, *x.shape[1:]).swapaxes(1, 2).reshape(x.shape)


def bf16(x):
	u = x.astype(np.float32).view(np.uint32)
	return ((u + 0x7fff + (u >> 16 & 1)) >> 16).astype("<u2")


def halves(x):
	return x.astype("<f2")


def encode(x, kind):
	"""Bytes of an array in a type. Formats of blocks with plain rounding; for the K types blocks of random bytes whose scales
	are finite stand for them, since only decoding matters to who reads them."""
	x = np.ascontiguousarray(x, np.float32)
	if kind == "F32":
		return x.astype("<f4").tobytes()
	if kind == "F16":
		return halves(x).tobytes()
	if kind == "BF16":
		return bf16(x).tobytes()
	elements, size = SIZES[kind][1:]
	b = x.reshape(-1, elements)
	n = len(b)
	most = np.abs(b).max(1)
	signed = b[np.arange(n), np.abs(b).argmax(1)]
	with np.errstate(divide="ignore", invalid="ignore"):
		if kind == "Q8_0":
			d = (most / np.float32(127)).astype(np.float32)
			inverse = np.where(d != 0, np.float32(1) / d, np.float32(0)).astype(np.float32)
			y = (b * inverse[:, None]).astype(np.float32)
			q = np.copysign(np.floor(np.abs(y) + np.float32(0.5)), y).astype(np.int8)
			return np.concatenate([halves(d)[:, None].view(np.uint8), q.view(np.uint8)], 1).tobytes()
		if kind == "Q4_0":
			d = (signed / np.float32(-8)).astype(np.float32)
			inverse = np.where(d != 0, np.float32(1) / d, np.float32(0)).astype(np.float32)
			q = np.minimum(15, ((b * inverse[:, None]).astype(np.float32) + np.float32(8.5)).astype(np.int8)).astype(np.uint8)
			return np.concatenate([halves(d)[:, None].view(np.uint8), q[:, :16] | q[:, 16:] << 4], 1).tobytes()
	random = np.random.default_rng(n + size)
	out = random.integers(0, 256, (n, size), np.uint8)
	scales = {"Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q2_K": [80, 82], "Q3_K": [108], "Q4_K": [0, 2], "Q5_K": [0, 2],
		  "Q6_K": [208], "IQ4_NL": [0], "IQ4_XS": [0]}[kind]
	for at in scales:
		out[:, at:at + 2] = halves(random.normal(0, 1e-3, n)).view(np.uint8).reshape(n, 2)
	return out.tobytes()


NAMES = {"input_layernorm": "attn_norm", "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
	 "self_attn.o_proj": "attn_output", "post_attention_layernorm": "ffn_norm", "mlp.gate_proj": "ffn_gate",
	 "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down"}


def gguf_name(name):
	if name in ("model.embed_tokens.weight", "model.norm.weight", "lm_head.weight"):
		return {"m": {"e": "token_embd.weight", "n": "output_norm.weight"}.get(name[6]), "l": "output.weight"}[name[0]]
	_, _, layer, rest = name.split(".", 3)
	return "blk.%s.%s.weight" % (layer, NAMES[rest[:-7]])


def tokenizer_values(folder, config):
	t = json.load(open(folder + "/tokenizer.json"))
	model = t["model"]
	added = {a["id"]: a for a in t["added_tokens"]}
	tokens = {i: s for s, i in model["vocab"].items()}
	tokens.update({i: a["content"] for i, a in added.items()})
	sentence = model.get("byte_fallback")
	kinds, n = [], max(tokens) + 1
	for i in range(n):
		if i in added:
			kinds.append(2 if sentence and tokens[i] == model.get("unk_token") else 3 if added[i]["special"] else 4)
		else:
			kinds.append(6 if sentence and len(tokens[i]) == 6 and tokens[i].startswith("<0x") else 1)
	texts = [tokens[i] for i in range(n)]
	merges = [m if isinstance(m, str) else " ".join(m) for m in model["merges"]]
	out = [("tokenizer.ggml.model", STRING, "llama" if sentence else "gpt2"),
	       ("tokenizer.ggml.pre", STRING, "default" if sentence else "smollm"),
	       ("tokenizer.ggml.tokens", (ARRAY, STRING), texts), ("tokenizer.ggml.token_type", (ARRAY, I32), kinds)]
	if sentence:
		rank = {}
		for i, m in enumerate(merges):
			rank.setdefault(m.replace(" ", ""), i)
		out.append(("tokenizer.ggml.scores", (ARRAY, F32), [float(-rank[x] if x in rank else -1e6) for x in texts]))
		out.append(("tokenizer.ggml.add_bos_token", BOOL, True))
	else:
		out.append(("tokenizer.ggml.merges", (ARRAY, STRING), merges))
		out.append(("tokenizer.ggml.add_bos_token", BOOL, False))
	for key, name in (("bos_token_id", "bos_token_id"), ("eos_token_id", "eos_token_id")):
		if isinstance(config.get(key), int):
			out.append(("tokenizer.ggml." + name, U32, config[key]))
	return out


def template_values(folder):
	import os
	if os.path.exists(folder + "/chat_template.jinja"):
		return [("tokenizer.chat_template", STRING, open(folder + "/chat_template.jinja", newline=None).read())]
	return []


def values_of(folder, config):
	heads = config["num_attention_heads"]
	return [("general.architecture", STRING, "llama"), ("llama.context_length", U32, config["max_position_embeddings"]),
		("llama.embedding_length", U32, config["hidden_size"]), ("llama.block_count", U32, config["num_hidden_layers"]),
		("llama.feed_forward_length", U32, config["intermediate_size"]), ("llama.attention.head_count", U32, heads),
		("llama.attention.head_count_kv", U32, config.get("num_key_value_heads", heads)),
		("llama.attention.layer_norm_rms_epsilon", F32, config["rms_norm_eps"]),
		("llama.rope.freq_base", F32, config["rope_theta"]),
		("llama.rope.dimension_count", U32, config.get("head_dim") or config["hidden_size"] // heads),
		("llama.vocab_size", U32, config["vocab_size"]), ("general.quantization_version", U32, 2)] + \
		tokenizer_values(folder, config) + template_values(folder)


def tensors_of(folder, config, kind):
	out = []
	for name, (dtype, x) in safetensors(folder + "/model.safetensors").items():
		if name.endswith("q_proj.weight"):
			x = permute(x, config["num_attention_heads"])
		if name.endswith("k_proj.weight"):
			x = permute(x, config.get("num_key_value_heads", config["num_attention_heads"]))
		which = "F32" if x.ndim == 1 else dtype if kind == "keep" else kind
		if SIZES[which][1] > x.shape[-1] or x.shape[-1] % SIZES[which][1]:
			which = "F16"
		out.append((gguf_name(name), which, x.shape, encode(x, which)))
	return out


def make(folder, path, kind="F32"):
	config = json.load(open(folder + "/config.json"))
	write(path, values_of(folder, config), tensors_of(folder, config, kind))


def same(a, b):
	a, b = Reader(a).tensors, Reader(b).tensors
	if a != b:
		for name in sorted(set(a) | set(b)):
			if a.get(name) != b.get(name):
				x, y = a.get(name, "-"), b.get(name, "-")
				print("tensor %s differs: %s and %s" % (name, x[:2], y[:2]))
		sys.exit(1)


def show(path):
	r = Reader(path)
	for key, x in r.values.items():
		print(key, x if not isinstance(x, list) else "[%d]" % len(x))
	for name, (kind, shape, _) in r.tensors.items():
		print(name, kind, *shape)


if __name__ == "__main__":
	{"make": make, "same": same, "list": show}[sys.argv[1]](*sys.argv[2:])

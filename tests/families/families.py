#!/usr/bin/python3
"""Families of checkpoints against a reference of our own in PyTorch, float64, written from what the public
configuration and modelling classes say each family computes: a small random checkpoint of the family's shape rules is
written, converted, run, and every position's logits are compared (1e-4 of the position's largest).

families.py BUILD FOLDER [NAME...]
"""
import json
import math
import os
import struct
import subprocess
import sys

import numpy as np
import torch

torch.set_default_dtype(torch.float64)
TOKENS, VOCAB = 300, 99  # more than one segment of 256 positions
F = torch.nn.functional


# ---- reference ----

def rms_norm(x, weight, eps):
    return x / torch.sqrt((x * x).mean(-1, keepdim=True) + eps) * weight


def layer_norm(x, weight, bias, eps):
    d = x - x.mean(-1, keepdim=True)
    return d / torch.sqrt((d * d).mean(-1, keepdim=True) + eps) * weight + bias


def frequencies(scaling, theta, dims, length, positions):
    """Of dims / 2 pairs, and what sines and cosines are multiplied by. length: of the context that was asked for."""
    f = theta ** (-torch.arange(0, dims, 2) / dims)
    kind = (scaling or {}).get("rope_type", (scaling or {}).get("type", "default"))
    if kind == "default":
        return f, 1.0
    if kind == "linear":
        return f / scaling["factor"], 1.0
    if kind == "llama3":
        wave, original = 2 * math.pi / f, scaling["original_max_position_embeddings"]
        low, high = scaling["low_freq_factor"], scaling["high_freq_factor"]
        smooth = ((original / wave - low) / (high - low)).clamp(0, 1)
        return f * smooth + f / scaling["factor"] * (1 - smooth), 1.0
    if kind == "dynamic":
        factor = scaling["factor"]
        if length > positions:
            theta = theta * (factor * length / positions - (factor - 1)) ** (dims / (dims - 2))
        return theta ** (-torch.arange(0, dims, 2) / dims), 1.0
    if kind == "yarn":
        factor, original = scaling["factor"], scaling.get("original_max_position_embeddings", positions)

        def dimension(turns):
            return dims * math.log(original / (turns * 2 * math.pi)) / (2 * math.log(theta))
        low, high = dimension(scaling.get("beta_fast", 32)), dimension(scaling.get("beta_slow", 1))
        if scaling.get("truncate", True):
            low, high = math.floor(low), math.ceil(high)
        low, high = max(low, 0), min(high, dims - 1)
        high += 0.001 if low == high else 0
        ramp = ((torch.arange(dims // 2) - low) / (high - low)).clamp(0, 1)
        return f / factor * ramp + f * (1 - ramp), scaling.get("attention_factor", 0.1 * math.log(factor) + 1)
    assert kind in ("longrope", "su")
    original = scaling["original_max_position_embeddings"]
    stretch = torch.tensor(scaling["long_factor" if length > original else "short_factor"])
    factor = positions / original
    return f / stretch, math.sqrt(1 + math.log(factor) / math.log(original)) if factor > 1 else 1.0


def rotate(x, f, scale):
    """x [tokens, heads, dims]: the first 2 * len(f) dimensions, in halves."""
    half = len(f)
    angle = torch.arange(x.shape[0])[:, None] * f
    cos, sin = (angle.cos() * scale)[:, None], (angle.sin() * scale)[:, None]
    a, b, rest = x[..., :half], x[..., half:2 * half], x[..., 2 * half:]
    return torch.cat([a * cos - b * sin, b * cos + a * sin, rest], -1)


class Reference:
    """One class for all: each place where families differ asks the family's name."""

    def __init__(self, config, tensors, length):
        self.c, self.t, self.length = config, tensors, length
        self.kind = config["model_type"]
        self.gemma = self.kind.startswith("gemma")
        self.head_dim = config.get("head_dim") or config["hidden_size"] // config["num_attention_heads"]
        self.eps = config["layer_norm_eps" if self.kind == "stablelm" else "rms_norm_eps"]

    def norm(self, x, name):
        w = self.t[name + ".weight"]
        if self.kind == "stablelm":
            return layer_norm(x, w, self.t[name + ".bias"], self.eps)
        return rms_norm(x, 1 + w if self.gemma else w, self.eps)

    def linear(self, x, name):
        return F.linear(x, self.t[name + ".weight"], self.t.get(name + ".bias"))

    def sliding(self, i):
        c = self.c
        if self.kind in ("mistral", "phi3"):
            return True
        if self.kind == "ministral":
            return c["layer_types"][i] == "sliding_attention"
        if self.kind == "gemma2":
            return i % 2 == 0
        if self.kind == "gemma3_text":
            return (i + 1) % c["sliding_window_pattern"] != 0
        if self.kind == "qwen2":
            return c.get("use_sliding_window", False) and i >= c["max_window_layers"]
        return False

    def rope(self, x, i):
        c, scaling, theta = self.c, self.c.get("rope_scaling"), self.c["rope_theta"]
        if self.kind == "smollm3" and not c["no_rope_layers"][i]:
            return x
        if self.kind == "gemma3_text" and self.sliding(i):
            scaling, theta = None, c["rope_local_base_freq"]
        if self.kind == "phi3" and scaling:
            scaling = dict(scaling, original_max_position_embeddings=c["original_max_position_embeddings"])
        dims = int(self.head_dim * c.get("partial_rotary_factor", 1))
        return rotate(x, *frequencies(scaling, theta, dims, self.length, c["max_position_embeddings"]))

    def attention(self, x, i):
        c, name = self.c, f"model.layers.{i}.self_attn."
        heads, kv_heads, dim, n = c["num_attention_heads"], c["num_key_value_heads"], self.head_dim, x.shape[0]
        if self.kind == "phi3":
            q, k, v = self.linear(x, name + "qkv_proj").split([heads * dim, kv_heads * dim, kv_heads * dim], -1)
        else:
            q, k, v = (self.linear(x, name + p + "_proj") for p in "qkv")
        if self.kind == "olmo2":
            q, k = self.norm(q, name + "q_norm"), self.norm(k, name + "k_norm")
        q, k, v = q.view(n, heads, dim), k.view(n, kv_heads, dim), v.view(n, kv_heads, dim)
        if self.kind in ("qwen3", "gemma3_text"):
            q, k = self.norm(q, name + "q_norm"), self.norm(k, name + "k_norm")
        q, k = self.rope(q, i), self.rope(k, i)
        k, v = (t.repeat_interleave(heads // kv_heads, 1) for t in (k, v))
        scale = dim ** -0.5
        if self.kind == "granite":
            scale = c["attention_multiplier"]
        if self.kind in ("gemma2", "gemma3_text"):
            scale = c["query_pre_attn_scalar"] ** -0.5
        score = torch.einsum("qhd,khd->hqk", q, k) * scale
        if c.get("attn_logit_softcapping"):
            score = torch.tanh(score / c["attn_logit_softcapping"]) * c["attn_logit_softcapping"]
        ago = torch.arange(n)[:, None] - torch.arange(n)
        hidden = ago < 0
        if self.sliding(i) and c.get("sliding_window"):
            hidden |= ago >= c["sliding_window"]
        weight = score.masked_fill(hidden, -math.inf).softmax(-1)
        return self.linear(torch.einsum("hqk,khd->qhd", weight, v).reshape(n, heads * dim), name + "o_proj")

    def feed_forward(self, x, i):
        name = f"model.layers.{i}.mlp."
        if self.kind == "phi3":
            gate, up = self.linear(x, name + "gate_up_proj").chunk(2, -1)
        else:
            gate, up = self.linear(x, name + "gate_proj"), self.linear(x, name + "up_proj")
        if self.gemma:
            act = 0.5 * gate * (1 + torch.tanh(math.sqrt(2 / math.pi) * (gate + 0.044715 * gate ** 3)))
        else:
            act = gate * torch.sigmoid(gate)
        return self.linear(act * up, name + "down_proj")

    def layer(self, x, i):
        name = f"model.layers.{i}."
        if self.kind == "olmo2":
            x = x + self.norm(self.attention(x, i), name + "post_attention_layernorm")
            return x + self.norm(self.feed_forward(x, i), name + "post_feedforward_layernorm")
        if self.kind in ("gemma2", "gemma3_text"):
            y = self.attention(self.norm(x, name + "input_layernorm"), i)
            x = x + self.norm(y, name + "post_attention_layernorm")
            y = self.feed_forward(self.norm(x, name + "pre_feedforward_layernorm"), i)
            return x + self.norm(y, name + "post_feedforward_layernorm")
        scale = self.c.get("residual_multiplier", 1)
        if self.kind == "minicpm":
            scale = self.c["scale_depth"] / math.sqrt(self.c["num_hidden_layers"])
        x = x + scale * self.attention(self.norm(x, name + "input_layernorm"), i)
        return x + scale * self.feed_forward(self.norm(x, name + "post_attention_layernorm"), i)

    def logits(self, ids):
        c = self.c
        x = self.t["model.embed_tokens.weight"][torch.tensor(ids)]
        x = x * (math.sqrt(c["hidden_size"]) if self.gemma else c.get("embedding_multiplier", c.get("scale_emb", 1)))
        for i in range(c["num_hidden_layers"]):
            x = self.layer(x, i)
        x = self.norm(x, "model.norm")
        if self.kind == "minicpm":
            x = x / (c["hidden_size"] / c["dim_model_base"])
        y = F.linear(x, self.t.get("lm_head.weight", self.t["model.embed_tokens.weight"]))
        y = y / c.get("logits_scaling", 1)
        if c.get("final_logit_softcapping"):
            y = torch.tanh(y / c["final_logit_softcapping"]) * c["final_logit_softcapping"]
        return y


# ---- checkpoints ----

def shapes(c):
    """Names and shapes as the family's class would save them."""
    kind, hidden, ffn = c["model_type"], c["hidden_size"], c["intermediate_size"]
    dim = c.get("head_dim") or hidden // c["num_attention_heads"]
    q, kv = c["num_attention_heads"] * dim, c["num_key_value_heads"] * dim
    out = {"model.embed_tokens.weight": (c["vocab_size"], hidden), "model.norm.weight": (hidden,)}
    if not c["tie_word_embeddings"]:
        out["lm_head.weight"] = (c["vocab_size"], hidden)
    for i in range(c["num_hidden_layers"]):
        layer = {"self_attn.o_proj.weight": (hidden, q), "mlp.down_proj.weight": (hidden, ffn)}
        if kind == "phi3":
            layer.update({"self_attn.qkv_proj.weight": (q + 2 * kv, hidden), "mlp.gate_up_proj.weight": (2 * ffn, hidden)})
        else:
            layer.update({"self_attn.q_proj.weight": (q, hidden), "self_attn.k_proj.weight": (kv, hidden),
                          "self_attn.v_proj.weight": (kv, hidden), "mlp.gate_proj.weight": (ffn, hidden),
                          "mlp.up_proj.weight": (ffn, hidden)})
        norms = ["input_layernorm", "post_attention_layernorm"]
        if kind == "olmo2":
            norms = ["post_attention_layernorm", "post_feedforward_layernorm"]
        if kind in ("gemma2", "gemma3_text"):
            norms += ["pre_feedforward_layernorm", "post_feedforward_layernorm"]
        layer.update({n + ".weight": (hidden,) for n in norms})
        if kind in ("qwen3", "gemma3_text"):
            layer.update({"self_attn.q_norm.weight": (dim,), "self_attn.k_norm.weight": (dim,)})
        if kind == "olmo2":
            layer.update({"self_attn.q_norm.weight": (q,), "self_attn.k_norm.weight": (kv,)})
        biased = {"q": q, "k": kv, "v": kv} if kind == "qwen2" or c.get("use_qkv_bias") or c.get("attention_bias") else {}
        layer.update({f"self_attn.{n}_proj.bias": (rows,) for n, rows in biased.items()})
        if c.get("attention_bias"):
            layer["self_attn.o_proj.bias"] = (hidden,)
        if c.get("mlp_bias"):
            layer.update({"mlp.gate_proj.bias": (ffn,), "mlp.up_proj.bias": (ffn,), "mlp.down_proj.bias": (hidden,)})
        if kind == "stablelm":
            layer.update({n + ".bias": (hidden,) for n in norms})
        out.update({f"model.layers.{i}.{n}": shape for n, shape in layer.items()})
    if kind == "stablelm":
        out["model.norm.bias"] = (hidden,)
    return out


def random_tensors(c, seed):
    rng, out = np.random.default_rng(seed), {}
    for name, shape in sorted(shapes(c).items()):
        if len(shape) == 2:
            x = rng.normal(0, 1.5 / math.sqrt(shape[1]), shape)
            if name == "model.embed_tokens.weight":
                x *= 0.5
        else:
            x = rng.normal(0, 0.2, shape)
            if name.endswith("norm.weight") and not c["model_type"].startswith("gemma"):
                x += 1
        out[name] = x.astype(np.float32)
    return out


def write_checkpoint(folder, config, tensors):
    os.makedirs(folder, exist_ok=True)
    header, at = {}, 0
    for name, x in tensors.items():
        header[name] = {"dtype": "F32", "shape": list(x.shape), "data_offsets": [at, at + x.nbytes]}
        at += x.nbytes
    text = json.dumps(header).encode()
    with open(folder + "/model.safetensors", "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + b"".join(x.tobytes() for x in tensors.values()))
    with open(folder + "/config.json", "w") as f:
        json.dump(config, f)
    vocab = {"<|end|>": 0, "a": 1, "b": 2, "ab": 3}
    special = {"id": 0, "content": "<|end|>", "single_word": False, "lstrip": False, "rstrip": False,
               "normalized": False, "special": True}
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    tokenizer = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": [special], "normalizer": None,
                 "pre_tokenizer": byte_level, "post_processor": None, "decoder": byte_level,
                 "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
                           "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "vocab": vocab,
                           "merges": ["a b"]}}
    with open(folder + "/tokenizer.json", "w") as f:
        json.dump(tokenizer, f)


def base(model_type, architecture, **more):
    c = {"model_type": model_type, "architectures": [architecture], "hidden_size": 64, "num_hidden_layers": 4,
         "num_attention_heads": 4, "num_key_value_heads": 2, "intermediate_size": 112, "vocab_size": VOCAB,
         "max_position_embeddings": 512, "rms_norm_eps": 1e-6, "rope_theta": 10000.0, "tie_word_embeddings": False,
         "bos_token_id": 0, "eos_token_id": 0}
    c.update(more)
    return c


SHORT = [1 + 0.05 * i for i in range(6)]
LONG = [1 + 0.9 * i for i in range(6)]
# name: config, and contexts that the session is opened for
CASES = {
    "llama": (base("llama", "LlamaForCausalLM"), [512]),
    "llama-biases": (base("llama", "LlamaForCausalLM", attention_bias=True, mlp_bias=True), [512]),
    "llama3": (base("llama", "LlamaForCausalLM", rope_scaling={
        "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 64}), [512]),
    "yarn": (base("llama", "LlamaForCausalLM", max_position_embeddings=128, rope_scaling={
        "rope_type": "yarn", "factor": 4.0}), [512]),
    "yarn-odd": (base("qwen2", "Qwen2ForCausalLM", max_position_embeddings=512, rope_scaling={
        "type": "yarn", "factor": 3.0, "original_max_position_embeddings": 100, "beta_fast": 20.0, "beta_slow": 0.5,
        "attention_factor": 1.3, "truncate": False}), [512]),
    "dynamic": (base("llama", "LlamaForCausalLM", max_position_embeddings=128, rope_scaling={
        "type": "dynamic", "factor": 4.0}), [400, 300]),
    "qwen2": (base("qwen2", "Qwen2ForCausalLM", use_sliding_window=False, sliding_window=16, max_window_layers=2,
                   rope_theta=1000000.0), [512]),
    "qwen2-window": (base("qwen2", "Qwen2ForCausalLM", use_sliding_window=True, sliding_window=16, max_window_layers=2), [512]),
    "qwen3": (base("qwen3", "Qwen3ForCausalLM", head_dim=24, tie_word_embeddings=True, attention_bias=False), [512]),
    "mistral": (base("mistral", "MistralForCausalLM", head_dim=20, sliding_window=20, rms_norm_eps=1e-5), [512]),
    "ministral": (base("ministral", "MinistralForCausalLM", sliding_window=270, layer_types=[
        "sliding_attention", "full_attention", "sliding_attention", "sliding_attention"]), [512]),
    "smollm3": (base("smollm3", "SmolLM3ForCausalLM", no_rope_layers=[1, 1, 1, 0], tie_word_embeddings=True), [512]),
    "phi3": (base("phi3", "Phi3ForCausalLM", sliding_window=31, rms_norm_eps=1e-5), [512]),
    "phi3-longrope": (base("phi3", "Phi3ForCausalLM", max_position_embeddings=1024, original_max_position_embeddings=300,
                           partial_rotary_factor=0.75, sliding_window=None, rope_scaling={
                               "type": "longrope", "short_factor": SHORT, "long_factor": LONG}), [300, 301]),
    "granite": (base("granite", "GraniteForCausalLM", embedding_multiplier=12.0, residual_multiplier=0.22,
                     attention_multiplier=0.05, logits_scaling=8.0, tie_word_embeddings=True), [512]),
    "gemma": (base("gemma", "GemmaForCausalLM", head_dim=24, num_key_value_heads=1, hidden_act="gelu",
                   tie_word_embeddings=True), [512]),
    "gemma2": (base("gemma2", "Gemma2ForCausalLM", head_dim=24, sliding_window=21, query_pre_attn_scalar=20,
                    attn_logit_softcapping=5.0, final_logit_softcapping=3.0, tie_word_embeddings=True,
                    hidden_activation="gelu_pytorch_tanh"), [512]),
    "gemma3": (base("gemma3_text", "Gemma3ForCausalLM", num_hidden_layers=7, head_dim=24, sliding_window=21,
                    sliding_window_pattern=6, query_pre_attn_scalar=24, rope_theta=1000000.0,
                    rope_local_base_freq=10000.0, rope_scaling={"rope_type": "linear", "factor": 8.0},
                    tie_word_embeddings=True, hidden_activation="gelu_pytorch_tanh"), [512]),
    "olmo2": (base("olmo2", "Olmo2ForCausalLM", num_key_value_heads=4), [512]),
    "stablelm": (base("stablelm", "StableLmForCausalLM", layer_norm_eps=1e-5, partial_rotary_factor=0.25,
                      use_qkv_bias=True), [512]),
    "minicpm": (base("minicpm", "MiniCPMForCausalLM", scale_emb=12, scale_depth=1.4, dim_model_base=16,
                     tie_word_embeddings=True), [512]),
}


def run_case(build, folder, name, seed):
    config, contexts = CASES[name]
    place, model = f"{folder}/{name}", f"{folder}/{name}.mote"
    tensors = random_tensors(config, seed)
    write_checkpoint(place, config, tensors)
    subprocess.run([f"{build}/mote-convert", place, "-o", model], check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)
    ids = [int(i) for i in np.random.default_rng(seed + 1).integers(0, VOCAB, TOKENS)]
    weights = {n: torch.from_numpy(x).double() for n, x in tensors.items()}
    good = True
    for context in contexts:
        expected = Reference(config, weights, context).logits(ids).numpy()
        for batch in (256, 3):
            out = subprocess.run([f"{build}/drive_logits", model, str(context), str(batch)] + [str(i) for i in ids],
                                 check=True, stdout=subprocess.PIPE).stdout
            found = np.frombuffer(out, np.float32).reshape(TOKENS, VOCAB)
            error = (np.abs(found - expected).max(1) / np.abs(expected).max(1))
            worst = error.max() if np.isfinite(error).all() else math.inf
            good &= bool(worst <= 1e-4)
            print(f"{'ok   ' if worst <= 1e-4 else 'WRONG'} {name}, context {context}, batches of {batch}: "
                  f"{worst:.1e} of the largest logit at worst (position {int(error.argmax())})")
    return good


def main():
    build, folder, names = sys.argv[1], sys.argv[2], sys.argv[3:] or list(CASES)
    good = 0
    for i, name in enumerate(names):
        try:
            good += run_case(build, folder, name, 100 + i)
        except subprocess.CalledProcessError as e:
            print(f"WRONG {name}: {e.cmd[0]} failed with {e.returncode}")
    print(f"{good} passed, {len(names) - good} failed")
    sys.exit(good != len(names))


if __name__ == "__main__":
    main()

#!/usr/bin/python3
"""Families of checkpoints against a reference of our own in PyTorch, float64, written from what the public
configuration and modelling classes say each family computes: a small random checkpoint of the family's shape rules is
written, converted, run, and every position's logits are compared (1e-4 of the position's largest).

families.py BUILD FOLDER [NAME...]
"""
import math
import subprocess
import sys

import numpy as np
import torch

from checkpoints import CASES, VOCAB, random_tensors, write_checkpoint

torch.set_default_dtype(torch.float64)
TOKENS = 300  # more than one segment of 256 positions
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


def rotate(x, f, scale, neighbours=False):
    """x [tokens, heads, dims]: the first 2 * len(f) dimensions, in halves, or each with its neighbour."""
    half = len(f)
    if neighbours:
        turned = rotate(torch.cat([x[..., 0::2], x[..., 1::2]], -1), f, scale)
        return torch.stack([turned[..., :half], turned[..., half:]], -1).flatten(-2)
    angle = torch.arange(x.shape[0])[:, None] * f
    cos, sin = (angle.cos() * scale)[:, None], (angle.sin() * scale)[:, None]
    a, b, rest = x[..., :half], x[..., half:2 * half], x[..., 2 * half:]
    return torch.cat([a * cos - b * sin, b * cos + a * sin, rest], -1)


class Reference:
    """One class for all: each place where families differ asks the family's name."""

    def __init__(self, config, tensors, length):
        if "text_config" in config:  # with the defaults of Gemma's class
            config = {**{"max_position_embeddings": 131072, "rms_norm_eps": 1e-6, "rope_theta": 1000000.0,
                         "rope_local_base_freq": 10000.0, "sliding_window_pattern": 6}, **config["text_config"]}
            tensors = {n.replace("language_model.", ""): x for n, x in tensors.items()}
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
        if self.kind == "olmo3":
            return (i + 1) % 4 != 0
        if self.kind == "exaone4":
            return bool(c["sliding_window"]) and i + 1 < c["num_hidden_layers"] and c["sliding_window_pattern"][i % 4] == "L"
        if self.kind == "qwen2":
            return c.get("use_sliding_window", False) and i >= c["max_window_layers"]
        return False

    def rope(self, x, i):
        c, scaling, theta = self.c, self.c.get("rope_scaling"), self.c["rope_theta"]
        if self.kind == "ministral3":
            scaling, theta = dict(c["rope_parameters"], attention_factor=1.0), c["rope_parameters"]["rope_theta"]
        if self.kind == "smollm3" and not c["no_rope_layers"][i]:
            return x
        if c.get("position_embedding_type") == "nope":
            return x
        if self.kind == "exaone4" and c["sliding_window"] and not self.sliding(i):
            return x
        if self.kind == "olmo3" and self.sliding(i):
            scaling = None
        if self.kind == "gemma3_text" and self.sliding(i):
            scaling, theta = None, c["rope_local_base_freq"]
        if self.kind == "phi3" and scaling:
            scaling = dict(scaling, original_max_position_embeddings=c["original_max_position_embeddings"])
        dims = int(self.head_dim * c.get("partial_rotary_factor", 1))
        if (scaling or {}).get("alpha"):
            scaling, theta = None, theta * scaling["alpha"] ** (dims / (dims - 2))
        return rotate(x, *frequencies(scaling, theta, dims, self.length, c["max_position_embeddings"]),
                      self.kind in ("ernie4_5", "helium"))

    def attention(self, x, i):
        c, name = self.c, f"model.layers.{i}.self_attn."
        heads, kv_heads, dim, n = c["num_attention_heads"], c["num_key_value_heads"], self.head_dim, x.shape[0]
        if self.kind == "phi3":
            q, k, v = self.linear(x, name + "qkv_proj").split([heads * dim, kv_heads * dim, kv_heads * dim], -1)
        else:
            q, k, v = (self.linear(x, name + p + "_proj") for p in "qkv")
        if self.kind in ("olmo2", "olmo3"):
            q, k = self.norm(q, name + "q_norm"), self.norm(k, name + "k_norm")
        q, k, v = q.view(n, heads, dim), k.view(n, kv_heads, dim), v.view(n, kv_heads, dim)
        if self.kind in ("qwen3", "gemma3_text", "exaone4"):
            q, k = self.norm(q, name + "q_norm"), self.norm(k, name + "k_norm")
        q, k = self.rope(q, i), self.rope(k, i)
        if self.kind == "hunyuan_v1_dense":
            q, k = self.norm(q, name + "query_layernorm"), self.norm(k, name + "key_layernorm")
        if self.kind == "ministral3":
            turns = torch.arange(n) // c["rope_parameters"]["original_max_position_embeddings"]
            q = q * (1 + c["rope_parameters"]["llama_4_scaling_beta"] * torch.log(1 + turns.double()))[:, None, None]
        k, v = (t.repeat_interleave(heads // kv_heads, 1) for t in (k, v))
        scale = dim ** -0.5
        if self.kind.startswith("granite"):
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
        elif self.kind == "granitemoehybrid":
            gate, up = self.linear(x, f"model.layers.{i}.shared_mlp.input_linear").chunk(2, -1)
            return self.linear(gate * torch.sigmoid(gate) * up, f"model.layers.{i}.shared_mlp.output_linear")
        else:
            gate, up = self.linear(x, name + "gate_proj"), self.linear(x, name + "up_proj")
        if self.gemma:
            act = 0.5 * gate * (1 + torch.tanh(math.sqrt(2 / math.pi) * (gate + 0.044715 * gate ** 3)))
        else:
            act = gate * torch.sigmoid(gate)
        return self.linear(act * up, name + "down_proj")

    def layer(self, x, i):
        name = f"model.layers.{i}."
        if self.kind in ("olmo2", "olmo3", "exaone4"):
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

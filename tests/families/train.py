#!/usr/bin/python3
"""Training against PyTorch, float64: losses (3e-6, passes being f32) and gradients of whole models (1e-5 of the norm), for the KL
divergence from another model, negative log-likelihood and dft, and the weights after ten steps of torch.optim.AdamW with
clipping (1e-4).

train.py BUILD FOLDER MODEL-DIRECTORY...
"""
import json
import os
import random
import shutil
import struct
import subprocess
import sys

import numpy as np
import torch

torch.set_default_dtype(torch.float64)
torch.set_num_threads(2)
SEQUENCES, LENGTH, STEPS = 3, 70, 10  # more than one block of attention's rows


def load(folder):
    """Tensors of a checkpoint in float64, in the order of mote's files: embedding, layers, norm, head."""
    data = open(os.path.join(folder, "model.safetensors"), "rb").read()
    n = struct.unpack("<Q", data[:8])[0]
    tensors = {}
    for name, t in json.loads(data[8:8 + n]).items():
        if name == "__metadata__":
            continue
        raw = data[8 + n + t["data_offsets"][0]:8 + n + t["data_offsets"][1]]
        if t["dtype"] == "BF16":
            values = (np.frombuffer(raw, np.uint16).astype(np.uint32) << 16).view(np.float32)
        else:
            values = np.frombuffer(raw, {"F32": np.float32, "F16": np.float16}[t["dtype"]])
        tensors[name] = torch.tensor(values.astype(np.float64).reshape(t["shape"]))
    config = json.load(open(os.path.join(folder, "config.json")))
    order = ["model.embed_tokens.weight"]
    for i in range(config["num_hidden_layers"]):
        order += [f"model.layers.{i}.{part}.weight" for part in (
            "input_layernorm", "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj",
            "post_attention_layernorm", "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj")]
    order.append("model.norm.weight")
    if not config.get("tie_word_embeddings") and "lm_head.weight" in tensors:
        order.append("lm_head.weight")
    return config, {name: tensors[name] for name in order}


def forward(c, w, ids):
    """Log-probabilities."""
    heads, kv = c["num_attention_heads"], c["num_key_value_heads"]
    hidden, eps = c["hidden_size"], c["rms_norm_eps"]
    dim = c.get("head_dim") or hidden // heads
    n, length = ids.shape
    angle = torch.outer(torch.arange(length).double(), c["rope_theta"] ** (-torch.arange(0, dim, 2).double() / dim))
    cosine, sine = torch.cat([angle, angle], -1).cos(), torch.cat([angle, angle], -1).sin()
    mask = torch.full((length, length), -torch.inf).triu(1)

    def norm(x, weight):
        return x * torch.rsqrt((x * x).mean(-1, keepdim=True) + eps) * weight

    def turn(x):
        return x * cosine + torch.cat([-x[..., dim // 2:], x[..., :dim // 2]], -1) * sine

    x = w["model.embed_tokens.weight"][ids]
    for i in range(c["num_hidden_layers"]):
        p = f"model.layers.{i}."
        h = norm(x, w[p + "input_layernorm.weight"])
        q, k, v = ((h @ w[p + f"self_attn.{a}_proj.weight"].T).view(n, length, -1, dim).transpose(1, 2) for a in "qkv")
        q, k = turn(q), turn(k).repeat_interleave(heads // kv, 1)
        a = ((q @ k.transpose(-1, -2)) / dim ** 0.5 + mask).softmax(-1) @ v.repeat_interleave(heads // kv, 1)
        x = x + a.transpose(1, 2).reshape(n, length, heads * dim) @ w[p + "self_attn.o_proj.weight"].T
        h = norm(x, w[p + "post_attention_layernorm.weight"])
        gate = torch.nn.functional.silu(h @ w[p + "mlp.gate_proj.weight"].T)
        x = x + (gate * (h @ w[p + "mlp.up_proj.weight"].T)) @ w[p + "mlp.down_proj.weight"].T
    head = w.get("lm_head.weight", w["model.embed_tokens.weight"])
    return (norm(x, w["model.norm.weight"]) @ head.T).log_softmax(-1)


def loss_of(kind, c, w, source, ids):
    q = forward(c, w, ids)
    if kind == "kl":
        p = forward(c, source, ids).detach()
        return (p.exp() * (p - q)).sum(-1).mean()
    q = q[:, :-1].gather(-1, ids[:, 1:, None])
    return -(q * q.detach().exp()).mean() if kind == "dft" else -q.mean()


build, folder, *models = sys.argv[1:]
passed = failed = 0


def check(name, off, most):
    global passed, failed
    good = bool(off <= most)
    passed, failed = passed + good, failed + (not good)
    print(f"{'ok  ' if good else 'FAIL'} {name}: off by {off:.2g} of at most {most:g}")


def drive(model, source, kind, steps, ids):
    out = subprocess.run([os.path.join(build, "drive_train"), model, source, kind, str(SEQUENCES), str(LENGTH),
                          str(steps)] +
                         [str(i) for i in ids.flatten().tolist()], check=True, capture_output=True).stdout
    line, values = out.split(b"\n", 1)
    return float(line), torch.tensor(np.frombuffer(values, np.float32).astype(np.float64))


def store(path, like, tensors):
    """A checkpoint of the same kind with these weights, in f32."""
    shutil.copytree(like, path, ignore=shutil.ignore_patterns("*.safetensors"))
    header, data = {}, b""
    for n, t in tensors.items():
        raw = t.numpy().astype(np.float32).tobytes()
        header[n] = {"dtype": "F32", "shape": list(t.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(os.path.join(path, "model.safetensors"), "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + data)


def convert(path, name):
    out = os.path.join(folder, name + ".mote")
    subprocess.run([os.path.join(build, "mote-convert"), "-q", path, "-o", out, "--dtype", "f32"], check=True)
    return out


def flat(tensors):
    return torch.cat([t.flatten() for t in tensors])


for path in models:
    name = os.path.basename(path)
    config, start = load(path)
    random.seed(1)
    ids = torch.tensor([[random.randrange(config["vocab_size"]) for _ in range(LENGTH)] for _ in range(SEQUENCES)])
    near = {n: (t * (1 + 0.2 * torch.sin(torch.arange(t.numel()).double()).view(t.shape))).float().double()
            for n, t in start.items()}
    store(os.path.join(folder, name + "-near"), path, near)
    model, source = convert(path, name), convert(os.path.join(folder, name + "-near"), name + "-near")
    for kind in ("kl", "nll", "dft"):
        w = {n: t.clone().requires_grad_(True) for n, t in start.items()}
        loss = loss_of(kind, config, w, near, ids)
        loss.backward()
        want = flat([t.grad for t in w.values()])
        value, got = drive(model, source, kind, 0, ids)
        check(f"{name}, {kind}: loss", abs(value - loss.item()) / loss.item(), 3e-6)
        check(f"{name}, {kind}: gradient", ((got - want).norm() / want.norm()).item(), 1e-5)
    w = {n: t.clone().requires_grad_(True) for n, t in start.items()}
    adam = torch.optim.AdamW(list(w.values()), lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01)
    for _ in range(STEPS):
        adam.zero_grad()
        loss_of("nll", config, w, near, ids).backward()
        torch.nn.utils.clip_grad_norm_(list(w.values()), 1.0)
        adam.step()
    want, first = flat([t.detach() for t in w.values()]), flat(list(start.values()))
    got = drive(model, source, "nll", STEPS, ids)[1]
    check(f"{name}: {STEPS} steps of AdamW", ((got - want).norm() / want.norm()).item(), 1e-4)
    print(f"     {name}: {(want - first).norm() / first.norm():.2g} of the weights' norm gone in these steps, apart by "
          f"{(got - want).norm() / (want - first).norm():.2g} of that")
print(f"{passed} passed, {failed} failed")
sys.exit(failed > 0)

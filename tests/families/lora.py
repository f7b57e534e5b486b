#!/usr/bin/python3
"""LoRA adapters against PyTorch: y = W x + scale B (A x), never merged, in float64, beside what mote-convert --lora merged; of
f32 logits, 1e-4 of the position's largest.

lora.py BUILD FOLDER
"""
import json
import math
import os
import subprocess
import sys

import numpy as np
import torch

from checkpoints import CASES, VOCAB, random_tensors, write_checkpoint, write_tensors
from families import Reference

TOKENS = 60
# family: adapters; each its rank, alpha, whether it is rank-stabilized, the factor on the command line, modules, and
# those it saves
ADAPTERS = {
    "llama": [(4, 8, False, 1, ["q_proj", "v_proj", "down_proj"], ["lm_head"])],
    "qwen3": [(3, 6, True, 0.5, ["q_proj", "k_proj", "o_proj", "gate_proj"], []),
              (5, 5, False, -1.5, ["q_proj", "up_proj"], [])],
    "phi3": [(2, 16, True, 1, ["qkv_proj", "gate_up_proj", "o_proj"], ["lm_head"])],
    "gemma": [(4, 4, False, 1, ["v_proj", "down_proj"], [])],
}


class Adapted(Reference):
    def __init__(self, config, tensors, length, adapters):
        super().__init__(config, tensors, length)
        self.adapters = adapters

    def linear(self, x, name):
        y = super().linear(x, name)
        for scale, pairs in self.adapters:
            if name in pairs:
                a, b = pairs[name]
                y = y + scale * (x @ a.T) @ b.T
        return y


def make_adapter(folder, adapter, weights, rng):
    """Writes one; returns its scale with its pairs, and what it puts into other weights' place."""
    rank, alpha, stabilized, factor, modules, saved = adapter
    tensors, pairs, replaced = {}, {}, {}
    for name, w in sorted(weights.items()):
        inner = name[:-len(".weight")]
        if inner.split(".")[-1] in modules:
            a = rng.normal(0, 0.2, (rank, w.shape[1])).astype(np.float32)
            b = rng.normal(0, 0.2, (w.shape[0], rank)).astype(np.float32)
            tensors["base_model.model." + inner + ".lora_A.weight"] = a
            tensors["base_model.model." + inner + ".lora_B.weight"] = b
            pairs[inner] = tuple(torch.from_numpy(x).double() for x in (a, b))
        elif inner in saved:
            x = rng.normal(0, 0.2, w.shape).astype(np.float32)
            tensors["base_model.model." + name] = x
            replaced[name] = torch.from_numpy(x).double()
    os.makedirs(folder, exist_ok=True)
    write_tensors(folder + "/adapter_model.safetensors", tensors)
    with open(folder + "/adapter_config.json", "w") as f:
        json.dump({"peft_type": "LORA", "r": rank, "lora_alpha": alpha, "use_rslora": stabilized, "bias": "none",
                   "target_modules": modules, "modules_to_save": saved or None}, f)
    return (alpha / (math.sqrt(rank) if stabilized else rank) * factor, pairs), replaced


def check(build, folder, name, seed):
    config, rng = CASES[name][0], np.random.default_rng(seed)
    tensors = random_tensors(config, seed)
    weights = {n: torch.from_numpy(x).double() for n, x in tensors.items()}
    write_checkpoint(folder + "/in", config, tensors)
    command, adapters = [f"{build}/mote-convert", "--force", "-q", folder + "/in", "-o", folder + "/m.mote"], []
    for i, adapter in enumerate(ADAPTERS[name]):
        made, replaced = make_adapter(f"{folder}/adapter{i}", adapter, tensors, rng)
        adapters.append(made)
        weights.update(replaced)
        command += ["--lora", f"{folder}/adapter{i}" + (f":{adapter[3]}" if adapter[3] != 1 else "")]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    ids = [int(i) for i in rng.integers(0, VOCAB, TOKENS)]
    expected = Adapted(config, weights, 512, adapters).logits(ids).numpy()
    plain = Reference(config, weights, 512).logits(ids).numpy()
    out = subprocess.run([f"{build}/drive_logits", folder + "/m.mote", "512", "256"] + [str(i) for i in ids],
                         check=True, stdout=subprocess.PIPE).stdout
    found = np.frombuffer(out, np.float32).reshape(TOKENS, VOCAB)
    worst = (np.abs(found - expected).max(1) / np.abs(expected).max(1)).max()
    moved = (np.abs(plain - expected).max(1) / np.abs(expected).max(1)).min()
    good = bool(worst <= 1e-4 and moved > 1e-2)
    print(f"{'ok   ' if good else 'WRONG'} {name}: {worst:.1e} of the largest logit at worst; the adapters move {moved:.1e} at least")
    return good


def main():
    good = sum(check(sys.argv[1], sys.argv[2], name, 300 + i) for i, name in enumerate(ADAPTERS))
    print(f"{good} passed, {len(ADAPTERS) - good} failed")
    sys.exit(good != len(ADAPTERS))


if __name__ == "__main__":
    main()

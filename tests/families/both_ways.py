#!/usr/bin/python3
"""Every family out of mote again: as a Hugging Face directory, whose tensors are those of the checkpoint bit for bit, and as a
GGUF file; and from either back into mote, where the tensors and the model are the same.

both_ways.py BUILD FOLDER
"""
import json
import math
import os
import subprocess
import sys

import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "conformance"))
import gguf  # noqa: E402
from checkpoints import CASES, random_tensors, write_checkpoint  # noqa: E402

# What no class of transformers has words for but the one that it came from, which mote does not write.
NO_FAMILY = {"granite4-nope": "no_rope_layers"}
# What GGUF has no words for, and the word that the message has.
REFUSED = {**NO_FAMILY,
           "yarn-odd": "truncate", "yarn-betas": "beta_fast", "dynamic": "dynamic", "qwen2-window": "sliding_window",
           "ministral": "window_layers", "gemma2-scalar": "attention_scale", "exaone4-window": "sliding_window",
           "hunyuan-dynamic": "dynamic", "ministral3": "Ministral3ForCausalLM",
           "olmo3": "Olmo3ForCausalLM"}


def run(*command):
    r = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True)
    return r.returncode, r.stdout, r.stderr


def as_written(config, tensors):
    """As mote writes them: by the class that computes the same where the checkpoint's own stores it otherwise."""
    kind, out = config["model_type"], {}
    for name, x in tensors.items():
        if name.startswith(("vision_tower.", "multi_modal_projector.")):
            continue
        name = name.replace("language_model.", "").replace("shared_mlp.output_linear", "mlp.down_proj")
        if "shared_mlp.input_linear" in name:
            for part, rows in zip(("gate", "up"), np.split(x, 2)):
                out[name.replace("shared_mlp.input_linear", "mlp.%s_proj" % part)] = rows
            continue
        if kind in ("ernie4_5", "helium") and name.endswith(("q_proj.weight", "k_proj.weight")):
            heads = x.reshape(-1, config["head_dim"], x.shape[1])
            x = np.concatenate([heads[:, 0::2], heads[:, 1::2]], 1).reshape(x.shape)
        out[name] = x
    return out


def convert(build, source, target):
    code, _, message = run(build + "/mote-convert", "--force", source, "-o", target)
    if code:
        raise AssertionError(message.strip())
    return message


def read(build, path):
    report = json.loads(run(build + "/mote-inspect", "--json", path)[1])
    return report["tensors_hash"], report["metadata"]["model"]


def alike(a, b):
    """The same but for what f32 rounds: GGUF's numbers are f32."""
    if isinstance(a, dict):
        return isinstance(b, dict) and a.keys() == b.keys() and all(alike(a[k], b[k]) for k in a)
    if isinstance(a, list):
        return isinstance(b, list) and len(a) == len(b) and all(map(alike, a, b))
    if isinstance(a, float) or isinstance(b, float):
        return math.isclose(a, b, rel_tol=1e-7)
    return a == b


def through_directory(build, folder, model, tensors, gemma):
    convert(build, model, folder + "/hf/")
    written = gguf.safetensors(folder + "/hf/model.safetensors")
    # a norm of Gemma's is kept as 1 + w, where what f32 rounds of w is lost (bfloat16 has nothing there)
    kept = {n: x + np.float32(1) if gemma and n.endswith("norm.weight") else x for n, x in tensors.items()}
    back = {n: x + np.float32(1) if gemma and n.endswith("norm.weight") else x for n, (_, x) in written.items()}
    wrong = [n for n in set(back) | set(kept) if n not in back or n not in kept
             or back[n].tobytes() != kept[n].tobytes()]
    assert not wrong, "the directory's tensors differ: %s" % wrong[:3]
    convert(build, folder + "/hf", folder + "/again.mote")
    assert read(build, model) == read(build, folder + "/again.mote"), "the directory gives another model"


def through_gguf(build, folder, model):
    convert(build, model, folder + "/m.gguf")
    convert(build, folder + "/m.gguf", folder + "/again.mote")
    (a, before), (b, after) = read(build, model), read(build, folder + "/again.mote")
    assert a == b, "the file gives other tensors"
    assert alike(before, after), "the file gives another model: %s, %s" % (before, after)
    convert(build, folder + "/again.mote", folder + "/again.gguf")
    x, y = gguf.Reader(folder + "/m.gguf"), gguf.Reader(folder + "/again.gguf")
    assert x.tensors == y.tensors, "GGUF to mote and back: other tensors"
    wrong = [k for k in set(x.values) | set(y.values) if x.values.get(k) != y.values.get(k)]
    assert not wrong, "GGUF to mote and back: other values: %s" % [(k, x.values.get(k), y.values.get(k)) for k in wrong]


def check(build, folder, name, seed):
    config, _ = CASES[name]
    tensors = random_tensors(config, seed)
    model = folder + "/m.mote"
    write_checkpoint(folder + "/in", config, tensors)
    convert(build, folder + "/in", model)
    if name in NO_FAMILY:
        code, _, message = run(build + "/mote-convert", "--force", model, "-o", folder + "/none/")
        assert code == 3 and NO_FAMILY[name] in message, "refused otherwise than expected: %d, %s" % (code, message)
        return None
    through_directory(build, folder, model, as_written(config, tensors), config["model_type"].startswith("gemma"))
    if name not in REFUSED:
        return through_gguf(build, folder, model)
    code, _, message = run(build + "/mote-convert", "--force", model, "-o", folder + "/m.gguf")
    assert code == 3 and REFUSED[name] in message, "refused otherwise than expected: %d, %s" % (code, message)


def main():
    build, folder = sys.argv[1:3]
    failed = 0
    for i, name in enumerate(CASES):
        try:
            check(build, folder, name, 200 + i)
        except AssertionError as e:
            failed += 1
            print("WRONG %s: %s" % (name, e))
    print("%d passed, %d failed" % (len(CASES) - failed, failed))
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()

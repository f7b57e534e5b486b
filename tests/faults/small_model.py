"""For sweep.py: a checkpoint small enough for thousands of runs, cut from the fixture's.

It has the fixture's layout and files and all of what makes code go another way (an FFN that is no multiple of 32, a vocabulary
that is none of 16, grouped heads, tied embeddings, special tokens behind the others), but less of each: two layers, 32 dimensions,
few merges. It says nothing sensible; as it hardly ever ends a text, what it writes itself is a few long documents.
"""
import json
import os
import shutil
import struct

LAYERS, HIDDEN, FFN, HEAD, HEADS, KV_HEADS, MERGES = 2, 32, 40, 16, 2, 1, 90
BF16 = 2
ROWS = {"embed_tokens": None, "q_proj": HEADS * HEAD, "k_proj": KV_HEADS * HEAD, "v_proj": KV_HEADS * HEAD, "o_proj": HIDDEN,
        "gate_proj": FFN, "up_proj": FFN, "down_proj": HIDDEN}
COLS = {"o_proj": HEADS * HEAD, "down_proj": FFN}


def read_tensors(path):
    """name: (shape, bytes)."""
    with open(path, "rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
        data = file.read()
    header.pop("__metadata__", None)
    return {name: (t["shape"], data[slice(*t["data_offsets"])]) for name, t in header.items()}


def write_tensors(path, tensors):
    header, at = {"__metadata__": {"format": "pt"}}, 0
    for name, (shape, data) in tensors.items():
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [at, at + len(data)]}
        at += len(data)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(data for _, data in tensors.values()))


def cut(shape, data, rows, cols):
    """The rows that are numbered and the first cols of each."""
    if len(shape) == 1:
        return [cols], data[:cols * BF16]
    wide = shape[1] * BF16
    return [len(rows), cols], b"".join(data[r * wide:r * wide + cols * BF16] for r in rows)


def cut_tokenizer(source, target):
    """Writes what keeps only the first merges; the ids that are kept, in the order of their new numbers."""
    tokenizer = json.load(open(os.path.join(source, "tokenizer.json"), encoding="utf-8"))
    model, added = tokenizer["model"], tokenizer["added_tokens"]
    gone = {a + b for a, b in model["merges"][MERGES:]}
    names = {id: name for name, id in model["vocab"].items() if name not in gone} | {t["id"]: t["content"] for t in added}
    kept = sorted(names)
    new = {id: i for i, id in enumerate(kept)}
    model["merges"] = model["merges"][:MERGES]
    model["vocab"] = {name: new[id] for name, id in model["vocab"].items() if name not in gone}
    for token in added:
        token["id"] = new[token["id"]]
    settings = json.load(open(os.path.join(source, "tokenizer_config.json"), encoding="utf-8"))
    settings["added_tokens_decoder"] = {str(new[int(id)]): t for id, t in settings["added_tokens_decoder"].items()}
    for name, value in (("tokenizer.json", tokenizer), ("tokenizer_config.json", settings)):
        json.dump(value, open(os.path.join(target, name), "w", encoding="utf-8"))
    return kept


def make(source, target, positions):
    """A checkpoint in the folder target, which is made, for at most so many positions."""
    os.mkdir(target)
    for name in ("chat_template.jinja", "generation_config.json", "special_tokens_map.json"):
        shutil.copyfile(os.path.join(source, name), os.path.join(target, name))
    os.mkdir(os.path.join(target, "additional_chat_templates"))
    shutil.copyfile(os.path.join(source, "chat_template.jinja"), os.path.join(target, "additional_chat_templates/other.jinja"))
    kept = cut_tokenizer(source, target)
    config = json.load(open(os.path.join(source, "config.json"), encoding="utf-8"))
    config.update(num_hidden_layers=LAYERS, hidden_size=HIDDEN, intermediate_size=FFN, num_attention_heads=HEADS,
                  num_key_value_heads=KV_HEADS, head_dim=HEAD, max_position_embeddings=positions, vocab_size=len(kept))
    json.dump(config, open(os.path.join(target, "config.json"), "w", encoding="utf-8"))
    tensors = {}
    for name, (shape, data) in read_tensors(os.path.join(source, "model.safetensors")).items():
        part = name.split(".")
        if part[1] == "layers" and int(part[2]) >= LAYERS:
            continue
        rows = ROWS.get(part[-2])
        tensors[name] = cut(shape, data, range(rows) if rows else kept, COLS.get(part[-2], HIDDEN))
    write_tensors(os.path.join(target, "model.safetensors"), tensors)

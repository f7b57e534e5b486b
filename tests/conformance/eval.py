"""mote-eval's multiple choice against an evaluation written for this test: contexts built here from the benchmarks' files,
and every log-probability computed in float64 from the checkpoint's own weights."""
import csv
import glob
import json
import os
import subprocess
import sys
import tempfile

import numpy as np

tools, data = os.environ["MOTE_BUILD"], os.environ["DATA"]
evals = os.path.join(data, "eval")
ITEMS = int(os.environ.get("ITEMS", 40)) # of each task and model; with 200 it takes some minutes
passed = failed = 0


def check(name, good, detail=""):
    global passed, failed
    passed, failed = passed + bool(good), failed + (not good)
    if not good:
        print(f"FAIL {name}: {detail}")


def run(tool, *arguments):
    return subprocess.run([os.path.join(tools, tool), *arguments], check=True, capture_output=True, text=True).stdout


# ---- a Llama in float64 ----

def read_safetensors(path):
    raw = open(path, "rb").read()
    length = int.from_bytes(raw[:8], "little")
    tensors = {}
    for name, entry in json.loads(raw[8:8 + length]).items():
        if name == "__metadata__":
            continue
        begin, end = (8 + length + x for x in entry["data_offsets"])
        part = raw[begin:end]
        if entry["dtype"] == "BF16":
            values = (np.frombuffer(part, "<u2").astype(np.uint32) << 16).view(np.float32)
        else:
            values = np.frombuffer(part, {"F32": "<f4", "F16": "<f2"}[entry["dtype"]])
        tensors[name] = values.astype(np.float64).reshape(entry["shape"])
    return tensors


class Llama:
    def __init__(self, folder):
        self.config = c = json.load(open(os.path.join(folder, "config.json")))
        self.w = {}
        for path in glob.glob(os.path.join(folder, "*.safetensors")):
            self.w.update(read_safetensors(path))
        self.heads, self.kv = c["num_attention_heads"], c.get("num_key_value_heads", c["num_attention_heads"])
        self.dim = c.get("head_dim") or c["hidden_size"] // self.heads
        self.theta = c.get("rope_theta") or c.get("rope_parameters", {}).get("rope_theta", 10000.0)

    def norm(self, x, name):
        return x / np.sqrt((x * x).mean(-1, keepdims=True) + self.config["rms_norm_eps"]) * self.w[name]

    def rotate(self, x):
        t = np.arange(x.shape[0])[:, None] / self.theta ** (np.arange(0, self.dim, 2) / self.dim)
        cos, sin = np.cos(t)[:, None], np.sin(t)[:, None]
        a, b = x[..., :self.dim // 2], x[..., self.dim // 2:]
        return np.concatenate([a * cos - b * sin, b * cos + a * sin], -1)

    def log_probabilities(self, ids):
        n, w = len(ids), self.w
        x = w["model.embed_tokens.weight"][ids]
        mask = np.triu(np.full((n, n), -np.inf), 1)
        for i in range(self.config["num_hidden_layers"]):
            p = f"model.layers.{i}."
            h = self.norm(x, p + "input_layernorm.weight")
            q, k, v = ((h @ w[p + f"self_attn.{s}_proj.weight"].T).reshape(n, -1, self.dim) for s in "qkv")
            q, k = self.rotate(q), self.rotate(k)
            k, v = (np.repeat(z, self.heads // self.kv, 1) for z in (k, v))
            q, k, v = (z.transpose(1, 0, 2) for z in (q, k, v))
            s = q @ k.transpose(0, 2, 1) / np.sqrt(self.dim) + mask
            s = np.exp(s - s.max(-1, keepdims=True))
            s /= s.sum(-1, keepdims=True)
            x = x + (s @ v).transpose(1, 0, 2).reshape(n, -1) @ w[p + "self_attn.o_proj.weight"].T
            h = self.norm(x, p + "post_attention_layernorm.weight")
            g = h @ w[p + "mlp.gate_proj.weight"].T
            x = x + (g / (1 + np.exp(-g)) * (h @ w[p + "mlp.up_proj.weight"].T)) @ w[p + "mlp.down_proj.weight"].T
        x = self.norm(x, "model.norm.weight")
        y = x @ w.get("lm_head.weight", w["model.embed_tokens.weight"]).T
        y -= y.max(-1, keepdims=True)
        return y - np.log(np.exp(y).sum(-1, keepdims=True))


# ---- the benchmarks' contexts and choices, as EleutherAI's harness has them ----

def arc():
    for line in open(os.path.join(evals, "ARC-Challenge-Test.jsonl"), encoding="utf-8"):
        r = json.loads(line)
        choices = r["question"]["choices"]
        yield (f"Question: {r['question']['stem']}\nAnswer:", [c["text"] for c in choices],
               [c["label"] for c in choices].index(r["answerKey"]))


def piqa():
    labels = open(os.path.join(evals, "piqa/valid-labels.lst")).read().split()
    for line, label in zip(open(os.path.join(evals, "piqa/valid.jsonl"), encoding="utf-8"), labels):
        r = json.loads(line)
        yield f"Question: {r['goal']}\nAnswer:", [r["sol1"], r["sol2"]], int(label)


def boolq():
    for line in open(os.path.join(evals, "boolq-val.jsonl"), encoding="utf-8"):
        r = json.loads(line)
        yield (f"{r['passage']}\nQuestion: {r['question']}?\nAnswer:", ["no", "yes"],
               int(str(r["label"]).lower() == "true"))


def mmlu():
    for path in sorted(glob.glob(os.path.join(evals, "mmlu/test/*_test.csv"))):
        subject = os.path.basename(path)[:-len("_test.csv")].replace("_", " ")
        for i, (question, *choices, answer) in enumerate(csv.reader(open(path, encoding="utf-8", newline=""))):
            if i == 4:
                break
            lines = "".join(f"{letter}. {text}\n" for letter, text in zip("ABCD", choices))
            yield (f"The following are multiple choice questions (with answers) about {subject}.\n\n"
                   f"{question.strip()}\n{lines}Answer:", list("ABCD"), "ABCD".index(answer))


TASKS = {"arc_challenge": (arc, "ARC-Challenge-Test.jsonl", ITEMS + 60), "piqa": (piqa, "piqa/valid.jsonl", ITEMS + 60),
         "boolq": (boolq, "boolq-val.jsonl", 5 * ITEMS), "mmlu": (mmlu, "mmlu", 4)}


def requests_of(model, task, path, limit):
    """The tool's requests, one list of choices an item."""
    items = {}
    for r in json.loads(run("mote-eval", model, "--task", f"{task}={path}", "--limit", str(limit), "--print-requests",
                            "100000")):
        items.setdefault((r["id"]), []).append(r)
    return list(items.values())


def one_task(folder, model, llama, name, task):
    make, path, limit = TASKS[task]
    path = os.path.join(evals, path)
    requests = requests_of(model, task, path, limit)
    log = os.path.join(folder, "log")
    run("mote-eval", model, "--task", f"{task}={path}", "--limit", str(limit), "--log", log, "--force", "--json")
    lines = [json.loads(line) for line in open(log)]
    expected = [x for x, _ in zip(make(), range(len(lines)))]
    check(f"{name} {task}: items", len(lines) == len(requests) == len(expected), f"{len(lines)}, {len(requests)}")
    worst, worst_token, scored, chosen, greedy = 0.0, 0.0, 0, True, True
    for line, asked, (context, choices, gold) in zip(lines, requests, expected):
        good = ([r["context"] for r in asked] == [context] * len(choices) and line["gold"] == gold and
                [r["continuation"] for r in asked] == [" " + c for c in choices])
        check(f"{name} {task} {line['id']}: text", good, (context, asked[0]["context"]))
        if line.get("truncated") or scored == ITEMS:
            continue
        scored += 1
        sums, behind = [], {}
        for r, got in zip(asked, line["choices"]):
            ids = r["context_ids"] + r["continuation_ids"]
            before = tuple(ids[:-1]) # choices of one token are read off one row
            if before not in behind:
                behind[before] = llama.log_probabilities(ids[:-1])
            rows = behind[before][len(r["context_ids"]) - 1:]
            picked = rows[np.arange(len(rows)), r["continuation_ids"]]
            sums.append(picked.sum())
            worst = max(worst, abs(sums[-1] - got["logprob"]))
            worst_token = max(worst_token, abs(sums[-1] - got["logprob"]) / len(picked))
            greedy &= got["is_greedy"] == bool((rows.argmax(-1) == r["continuation_ids"]).all())
            chosen &= got["tokens"] == len(r["continuation_ids"])
        chosen &= line["choice"] == int(np.argmax(sums))
        chosen &= line["choice_norm"] == int(np.argmax([s / len(c) for s, c in zip(sums, choices)]))
    check(f"{name} {task}: log-probabilities", worst_token < 1e-4,
          f"a token's is off by {worst_token}, a choice's by {worst}")
    check(f"{name} {task}: choices", chosen)
    check(f"{name} {task}: greedy", greedy)
    check(f"{name} {task}: enough items", scored >= ITEMS, f"{scored}")
    print(f"{name} {task}: {scored} items, log-probabilities within {worst:.1e}, {worst_token:.1e} a token", flush=True)


def always_yes(folder, model):
    """What the seed's BoolQ score really is."""
    results = json.loads(run("mote-eval", model, "--task", "boolq=" + os.path.join(folder, "boolq"),
                             "--json"))["results"]
    best = results[0]["best_constant"]
    check("always yes", best["answer"] == "yes" and round(100 * best["value"], 2) == 62.17, best)


only = sys.argv[1:]
with tempfile.TemporaryDirectory() as folder:
    for name, source in (("tiny1m", os.path.join(data, "models/tiny1m")),
                         ("stories260k", os.path.join(data, "models/stories260k")),
                         ("adder", "tests/fixtures/adder")):
        if only and name not in only:
            continue
        model = os.path.join(folder, name + ".mote")
        run("mote-convert", source, "-o", model, "--dtype", "f32")
        llama = Llama(source)
        for task in TASKS:
            one_task(folder, model, llama, name, task)
    # The labels alone decide it, so the passages may go.
    with open(os.path.join(folder, "boolq"), "w") as f:
        for line in open(os.path.join(evals, "boolq-val.jsonl"), encoding="utf-8"):
            f.write(json.dumps({**json.loads(line), "passage": "x", "question": "y"}) + "\n")
    if not only or "adder" in only:
        always_yes(folder, os.path.join(folder, "adder.mote"))
print(f"{passed} passed, {failed} failed")
sys.exit(failed > 0)

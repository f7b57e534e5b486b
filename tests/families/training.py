#!/usr/bin/python3
"""mote-train against PyTorch: ten steps of every loss from the fixture, with PyTorch's autograd and AdamW in float64.

    training.py BUILD FOLDER

Ids are the tokenizer's, which has oracles of its own; which of them are the assistant's is worked out here from texts. A
batch is all records, so that their order does not matter. Prints "N passed, N failed".
"""
import json
import math
import random
import subprocess
import sys

import torch
import torch.nn.functional as F

sys.path.insert(0, "tests/fixtures")
import llama  # noqa: E402

BUILD, FOLDER = sys.argv[1], sys.argv[2]
STEPS, WARM_UP, CLIP, DECAY = 10, 0.2, 1.0, 0.02
counts = [0, 0]


def check(what, good, detail=""):
    counts[not good] += 1
    if not good:
        print(f"FAILED: {what} {detail}")


def run(tool, *arguments):
    return subprocess.run([f"{BUILD}/{tool}", *arguments], check=True, capture_output=True, text=True).stdout


def ids_of(messages, prompt):
    with open(f"{FOLDER}/messages.json", "w") as f:
        json.dump(messages, f)
    options = [] if prompt else ["--no-generation-prompt"]
    return json.loads(run("mote-tokenize", f"{FOLDER}/m.mote", "--messages", f"{FOLDER}/messages.json", "--json",
                          *options))["ids"]


def example(prompt, answer):
    """Ids, and which of them the assistant wrote: from behind the prompt to the end of its turn."""
    user = {"role": "user", "content": prompt}
    before = ids_of([user], True)
    ids = ids_of([user, {"role": "assistant", "content": answer}], False)
    assert ids[:len(before)] == before
    end = len(ids) - ids[::-1].index(2)  # the end of a turn; a newline follows
    return ids, [len(before) <= i < end for i in range(len(ids))]


def log_probabilities(config, w, ids, target):
    """ln p of each of the assistant's tokens."""
    logits = llama.forward(config, w, torch.tensor([ids]))[0]
    at = [i for i in range(1, len(ids)) if target[i]]
    return F.log_softmax(logits, -1)[[i - 1 for i in at], [ids[i] for i in at]]


def supervised(kind, config, w, examples):
    p = torch.cat([log_probabilities(config, w, *e) for e in examples])
    return -(p.exp().detach() * p if kind == "dft" else p).mean()


def preferences(kind, beta, config, w, pairs, reference):
    losses = []
    for (chosen, rejected), (c0, r0) in zip(pairs, reference):
        c = log_probabilities(config, w, *chosen).sum() - c0
        r = log_probabilities(config, w, *rejected).sum() - r0
        losses.append(-F.logsigmoid(beta * (c - r)) if kind == "sigmoid" else
                      1 - torch.sigmoid(beta * c) + torch.sigmoid(beta * r))
    return torch.stack(losses).mean()


def rate(lr, step, floor):
    warm_up = math.ceil(WARM_UP * STEPS)
    if step < warm_up:
        return lr * step / warm_up
    return lr * (floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * (step - warm_up) / (STEPS - warm_up))))


def train(config, w, loss_of, lr, floor):
    """Ten steps; the losses."""
    groups = [{"params": [t for t in w.values() if t.dim() == 2], "weight_decay": DECAY},
              {"params": [t for t in w.values() if t.dim() == 1], "weight_decay": 0}]
    adamw = torch.optim.AdamW(groups, betas=(0.9, 0.999), eps=1e-8)
    losses = []
    for step in range(1, STEPS + 1):
        adamw.zero_grad()
        loss = loss_of(w)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(list(w.values()), CLIP)
        for g in adamw.param_groups:
            g["lr"] = rate(lr, step, floor)
        adamw.step()
        losses.append(loss.item())
    return losses


def compare(name, config, loss_of, lr, floor, printed, start):
    w = {k: v.clone().requires_grad_() for k, v in start.items()}
    losses = train(config, w, loss_of, lr, floor)
    steps = [json.loads(line) for line in printed.splitlines()][:-1]
    check(f"{name}: the number of steps", len(steps) == STEPS, len(steps))
    # The sign of Adam's first steps is all that a tiny gradient decides, so later losses drift apart.
    worst = max(abs(s["loss"] - x) / max(1, abs(x)) for s, x in zip(steps, losses))
    check(f"{name}: losses", abs(steps[0]["loss"] - losses[0]) < 1e-6 * max(1, losses[0]) and worst < 1e-4,
          f"{worst:.2e}")
    run("mote-convert", f"{FOLDER}/{name}.mote", "-o", f"{FOLDER}/{name}/")
    got = llama.load(f"{FOLDER}/{name}/model.safetensors", torch.float64)
    moved = math.sqrt(sum((w[k] - start[k]).pow(2).sum().item() for k in start))
    apart = math.sqrt(sum((w[k] - got[k]).pow(2).sum().item() for k in start))
    check(f"{name}: weights", apart < 1e-3 * moved, f"{apart / moved:.2e} of the way")
    size = math.sqrt(sum(w[k].pow(2).sum().item() for k in start))
    check(f"{name}: weights", apart < 1e-4 * size, f"{apart / size:.2e} of their norm")
    print(f"{name}: loss {losses[0]:.4f} to {losses[-1]:.4f}, at most {worst:.1e} apart; weights {apart / moved:.1e} of the way, "
          f"{apart / size:.1e} of their norm")


def main():
    torch.manual_seed(0)
    torch.set_num_threads(1)
    rng = random.Random(7)
    run("mote-convert", "tests/fixtures/adder", "-o", f"{FOLDER}/m.mote")
    config = json.load(open("tests/fixtures/adder/config.json"))
    start = llama.load("tests/fixtures/adder/model.safetensors", torch.float64)
    texts = []
    for i in range(6):
        a, b = rng.randrange(100), rng.randrange(1000)
        texts.append((f"What is {a} + {b}?", f"{a} + {b} = {a + b}.", f"<think>\n{a + b}\n</think>\nIt is {b}."
                      if i % 2 else "No."))
    with open(f"{FOLDER}/sft.jsonl", "w") as f:
        for prompt, good, _ in texts:
            json.dump({"messages": [{"role": "user", "content": prompt}, {"role": "assistant", "content": good}]}, f)
            f.write("\n")
    with open(f"{FOLDER}/dpo.jsonl", "w") as f:
        for prompt, good, bad in texts[:3]:
            json.dump({"prompt": prompt, "chosen": good, "rejected": bad}, f)
            f.write("\n")
    common = ["--epochs", str(STEPS), "--batch", "64", "--warmup", str(WARM_UP), "--clip", str(CLIP), "--weight-decay",
              str(DECAY), "--dtype", "f32", "--json", "--tokens-at-once", "300", f"{FOLDER}/m.mote"]
    examples = [example(prompt, good) for prompt, good, _ in texts]
    for kind in ("nll", "dft"):
        printed = run("mote-train", "sft", "--data", f"{FOLDER}/sft.jsonl", "--loss", kind, "--lr", "1e-3", "-o",
                      f"{FOLDER}/{kind}.mote", *common)
        compare(kind, config, lambda w: supervised(kind, config, w, examples), 1e-3, 0, printed, start)
    think = [t for t in texts[:3]]
    # a thought's tags are tokens in what the assistant writes
    with open("tests/fixtures/adder/tokenizer.json") as f:
        added = {t["content"]: t["id"] for t in json.load(f)["added_tokens"]}
    pairs = []
    for prompt, good, bad in think:
        ids, target = example(prompt, bad)
        if "<think>" in bad:
            before = ids_of([{"role": "user", "content": prompt}], True)
            middle = bad.split("<think>")[1].split("</think>")
            parts = [added["<think>"], *json.loads(run("mote-tokenize", f"{FOLDER}/m.mote", "-p", middle[0], "--json"))["ids"],
                     added["</think>"], *json.loads(run("mote-tokenize", f"{FOLDER}/m.mote", "-p", middle[1], "--json"))["ids"]]
            ids = before + parts + [2]
            target = [i >= len(before) for i in range(len(ids))]
        pairs.append((example(prompt, good), (ids, target)))
    with torch.no_grad():
        reference = [tuple(log_probabilities(config, start, *e).sum() for e in pair) for pair in pairs]
    for kind in ("sigmoid", "apo_zero"):
        printed = run("mote-train", "dpo", "--data", f"{FOLDER}/dpo.jsonl", "--loss", kind, "--beta", "0.3",
                      "--lr", "1e-4", "--lr-end", "0.1", "-o", f"{FOLDER}/{kind}.mote", *common)
        compare(kind, config, lambda w: preferences(kind, 0.3, config, w, pairs, reference), 1e-4, 0.1, printed, start)
    print(f"{counts[0]} passed, {counts[1]} failed")
    return counts[1] > 0


sys.exit(main())

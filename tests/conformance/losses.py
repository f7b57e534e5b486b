"""mote-perplexity on models trained by others: the losses of golden.json token by token, and the chunk rule worked
out again here from the losses of single contexts, which is another way through the tool."""
import json
import math
import os
import subprocess
import sys
import tempfile

tools, data = os.environ["MOTE_BUILD"], os.environ["DATA"]
passed = failed = 0


def check(name, good, detail=""):
    global passed, failed
    passed, failed = passed + good, failed + (not good)
    if not good:
        print(f"FAIL {name}: {detail}")


def run(tool, *arguments):
    return subprocess.run([os.path.join(tools, tool), *arguments], check=True, capture_output=True, text=True).stdout


def tokenize(model, path):
    return json.loads(run("mote-tokenize", model, "-f", path, "--add-special", "--json"))["ids"]


def losses(folder, model, path, *options):
    out = os.path.join(folder, "losses")
    figures = json.loads(run("mote-perplexity", model, "-f", path, "--per-token", out, "--force", "--json", *options))
    lines = [line.split() for line in open(out)]
    return figures, [int(i) for i, _ in lines], [float(x) for _, x in lines]


def chunk_rule(folder, model, tinystories, context):
    """The first chunks of a text, each read again alone with --all-positions."""
    text = os.path.join(folder, "text")
    with open(text, "wb") as f:
        f.write(tinystories[:6000])
    figures, ids, whole = losses(folder, model, text, "-c", str(context))
    all_ids = tokenize(model, text)
    chunks = len(all_ids) // context
    expected_ids = [i for c in range(chunks) for i in all_ids[c * context + context // 2 + 1:(c + 1) * context]]
    check(f"{model}: scored tokens at {context}", ids == expected_ids, f"{len(ids)} against {len(expected_ids)}")
    check(f"{model}: number scored", figures["tokens_scored"] == chunks * (context - context // 2 - 1))
    mean = math.fsum(whole) / len(whole)
    error = math.sqrt(math.fsum((x - mean) ** 2 for x in whole) / len(whole) / (len(whole) - 1))
    check(f"{model}: perplexity", abs(figures["perplexity"] / math.exp(mean) - 1) < 1e-12)
    check(f"{model}: its error", abs(figures["perplexity_error"] / (math.exp(mean) * error) - 1) < 1e-9)
    # A chunk's losses are those of the chunk as a text of its own, bos first.
    _, _, first = losses(folder, model, text, "--all-positions", "-c", str(context))
    check(f"{model}: first chunk", first[context // 2:] == whole[:context - context // 2 - 1])


with tempfile.TemporaryDirectory() as folder:
    tinystories = open(os.path.join(data, "text/tinystories.txt"), "rb").read(6000)
    for name in ("tiny1m", "stories260k"):
        golden = json.load(open(os.path.join(data, "models", name, "golden.json")))
        model, text = os.path.join(folder, name + ".mote"), os.path.join(folder, "golden")
        run("mote-convert", os.path.join(data, "models", name), "-o", model)
        with open(text, "w") as f:
            f.write(golden["text"])
        n = len(golden["nll_per_token"])
        _, ids, got = losses(folder, model, text, "--all-positions", "-c", str(n + 1))
        worst = max(abs(a - b) for a, b in zip(got, golden["nll_per_token"]))
        check(f"{name}: ids", ids == golden["input_ids"][1:], f"{len(ids)} scored, {n} in golden.json")
        check(f"{name}: losses", len(got) == n and worst < 1e-4, f"differ by {worst}")
        print(f"{name}: largest difference of a loss {worst:.2e}")
        for context in (64, 101):
            chunk_rule(folder, model, tinystories, context)
print(f"{passed} passed, {failed} failed")
sys.exit(failed != 0)

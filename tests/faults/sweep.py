#!/usr/bin/env python3
"""Every call to the system fails once, in every tool's main jobs.

  sweep.py BUILD SHIM [--sample N] [--job NAME,NAME] [--kind KIND,KIND] [--jobs PROCESSES]
           [--stacks N] [--leaks]

A job runs once as it is, which gives the right result and how many calls of each kind there are (tests/faults/shim.c);
then once for each call, which fails. It must end with exit code 1 (where a file ended early 3, or 2: an empty one may be of the
wrong kind) and a message, or with 0 and the same output and files. In both cases each file is as before or as it should be after,
and there is no other: nothing partial, nothing left behind. With --sample only N calls of each kind are made to fail, spread
evenly; with --kind none no call is, so that each job runs only as it is. With --stacks N, of the calls of a kind that come from
the same stack (the innermost 48 callers) the first N - 1 and the last fail: the others are the same code with other data. With
--leaks LeakSanitizer looks at each run, the server's too, and what it finds is wrong (no mapped file is shortened then:
LeakSanitizer takes the signal).

Jobs that would take hours with the fixture's model have a small one cut from it (small_model.py), which reaches the same calls.

A server is asked some things and stopped: of its answers one may be none or an error of the server's, each other is right. The job
requests fails each allocation of every kind of request in one server, which goes on: see server.py.
"""
import argparse
import concurrent.futures
import glob
import json
import os
import pty
import resource
import shutil
import subprocess
import sys
import tempfile

import small_model
from server import LIMIT_SECONDS, TIME_FIGURES, same, serve, sweep_requests, without, without_warnings

# kind and how it fails, as in shim.c
FAULTS = [("alloc", "error"), ("map", "error"), ("open", "error"), ("stat", "error"), ("read", "error"),
          ("read", "short"), ("read", "end"), ("write", "error"), ("write", "short"), ("sync", "error"),
          ("name", "error"), ("close", "error"), ("thread", "error"), ("other", "error")]


class Typed(str):
    """Standard input that is a terminal, where this was typed before; as standard error is none, no line is edited."""


def jobs(build, d):
    """name: (command, standard input, files of the output folder before). The last entry of a path is in OUT."""
    tool = lambda name: os.path.join(build, "mote-" + name)
    m, q, text, out = d + "/m.mote", d + "/q.mote", d + "/text", "OUT/"
    small, brief = d + "/small.mote", d + "/brief.mote"
    mixed = ["--bits", "6", "--calibrate", d + "/more", "--encoder", "round", "-t", "2", "-q"]
    some_parts = {os.path.basename(part): part for part in sorted(glob.glob(d + "/parts/*"))[:-2]}
    plain_sft = ["--batch", "2", "--max-length", "250", "-t", "1"]
    lora = ["--lora", "2", *plain_sft]
    short = ["-c", "64", "--chunks", "2", "-t", "2"]
    return {
        "convert": ([tool("convert"), d + "/small", "-o", out + "o.mote", "--json", "-q"], None, {}),
        "convert-over": ([tool("convert"), d + "/small", "-o", out + "o.mote", "--force", "-t", "1"], None,
                         {"o.mote": q}),
        "to-gguf": ([tool("convert"), small, "-o", out + "o.gguf"], None, {}),
        "from-gguf": ([tool("convert"), d + "/small.gguf", "-o", out + "o.mote"], None, {}),
        "to-folder": ([tool("convert"), small, "-o", out + "o/"], None, {}),
        "lora": ([tool("convert"), d + "/small", "--lora", d + "/adapter", "-o", out + "o.mote"], None, {}),
        "train-lora": ([tool("train"), "sft", small, "--data", d + "/records", *lora, "--adapter", out + "a", "-o", out + "o.mote"],
                       None, {}),
        "train-on": ([tool("train"), "sft", small, "--data", d + "/records", *plain_sft, "--state", out + "s", "-o", out + "o.mote",
                      "--json"], None, {"s": d + "/state"}),
        "shard": ([tool("quantize"), brief, "--shard", "1/2", "-o", out + "part", *mixed], None, {}),
        "merge": ([tool("quantize"), "--merge", brief, d + "/part1", d + "/part2", "-o", out + "o.mote", *mixed, "--no-validate"],
                  None, {}),
        "parts": ([tool("quantize"), brief, "--parts", out, "-o", out + "o.mote", *mixed, "--no-validate"], None, some_parts),
        "perplexity-own": ([tool("perplexity"), small, "--generate", "40", "-c", "16", "-t", "1"], None, {}),
        "perplexity-shard": ([tool("perplexity"), q, "-f", text, "--shard", "1/2", "-o", out + "p", *short], None, {}),
        "perplexity-merge": ([tool("perplexity"), "--merge", d + "/p1", d + "/p2"], None, {}),
        "eval-shard": ([tool("eval"), q, "--task", "boolq=" + d + "/boolq.jsonl", "--shard", "1/2", "-o", out + "p"], None, {}),
        "eval-merge": ([tool("eval"), "--merge", d + "/e1", d + "/e2", "--log", out + "log"], None, {}),
        "quantize": ([tool("quantize"), small, "-o", out + "o.mote", "--type", "q4", "--encoder", "search", "--json", "-t", "2",
                      "--validate", d + "/words", "-c", "64"], None, {}),
        "quantize-own": ([tool("quantize"), small, "-o", out + "o.mote", "--type", "q8", "--encoder", "round", "--force",
                          "-t", "2", "-q"], None, {"o.mote": q}),
        "quantize-mixed": ([tool("quantize"), brief, "-o", out + "o.mote", "--bits", "6", "--calibrate", d + "/more",
                            "--encoder", "round", "--tensor", "*mlp*=q4", "--tensor", "*[koq]_proj*=q4", "--no-validate",
                            "-t", "2", "-q"], None, {}),
        "perplexity": ([tool("perplexity"), q, "-f", text, "--reference", m, *short, "--per-token", out + "p", "--report",
                        out + "r.html", "--json", "--force"], None, {"r.html": text}),
        "perplexity-logits": ([tool("perplexity"), q, "-f", text, "--reference-logits", d + "/logits", *short], None, {}),
        "perplexity-prompts": ([tool("perplexity"), q, "-f", text, *short, "--prompts", d + "/prompts", "--max-tokens",
                                "8"], None, {}),
        "save-logits": ([tool("perplexity"), m, "-f", text, *short, "--save-logits", out + "l"], None, {}),
        "stamp": ([tool("perplexity"), out + "q.mote", "-f", text, *short, "--stamp"], None, {"q.mote": q}),
        "quantize-gptq": ([tool("quantize"), brief, "-o", out + "o.mote", "--type", "q4", "--encoder", "gptq", "--calibrate",
                           d + "/more", "--no-validate", "-t", "2", "-q"], None, {}),
        "recover": ([tool("quantize"), brief, "-o", out + "o.mote", "--type", "q3", "--encoder", "round", "--calibrate", d + "/more",
                     "--recover", "64", "--no-validate", "-t", "2", "-q"], None, {}),
        "train": ([tool("train"), "sft", small, "--data", d + "/records", "--epochs", "1", "--batch", "2", "--max-length", "250", "-o",
                   out + "o.mote", "--state", out + "s", "--curve", out + "c.svg", "--json", "-t", "2"], None, {}),
        "train-dpo": ([tool("train"), "dpo", small, "--data", d + "/pairs", "--epochs", "1", "--batch", "2", "--max-length", "250", "-o",
                       out + "o.mote", "-t", "1"], None, {}),
        "eval": ([tool("eval"), q, "--reference", m, "--task", "boolq=" + d + "/boolq.jsonl", "--log", out + "log", "--report",
                  out + "r.html", "--json", "-t", "2"], None, {}),
        "session": ([tool("run"), q, "-p", "What is 1 + 2?", "--temp", "0", "-n", "8", "-t", "2", "--load-session", d + "/session",
                     "--save-session", out + "s"], None, {}),
        "schema": ([tool("run"), q, "-p", "What is 1 + 2?", "--temp", "0", "-n", "8", "-t", "1", "--json-schema",
                    d + "/schema"], None, {}),
        "run": ([tool("run"), q, "-p", "What is 1 + 2?", "--temp", "0", "-n", "8", "-t", "2", "--json", "--logits", "3",
                 "--seed", "7"], None, {}),
        "run-stdin": ([tool("run"), m, "--seed", "3", "-n", "8", "-t", "1", "--mmap"], "What is 3 + 4?\n", {}),
        "chat": ([tool("run"), q, "--temp", "0", "-n", "8", "-t", "1", "--save-session", out + "s"],
                 Typed('What is 1 + 2?\n"""What is\n3 + 4?"""\n\4'), {}),
        "tokenize": ([tool("tokenize"), m, "-f", text, "--show"], None, {}),
        "decode": ([tool("tokenize"), m, "--decode", "--json"], "1 2 3 4 5", {}),
        "messages": ([tool("tokenize"), m, "--messages", d + "/messages", "--template-context", d + "/context", "--diff",
                      "chatml"], None, {}),
        "messages-json": ([tool("tokenize"), m, "--messages", d + "/messages", "--diff", "chatml", "--json"], None, {}),
        "serve": ([tool("serve"), q, "--port", "0", "-t", "2", "-np", "2"], None, {}),
        "requests": ([tool("serve"), q, "--port", "0", "-t", "1", "-np", "2"], None, {}),
        "inspect": ([tool("inspect"), q, "--verify"], None, {}),
        "inspect-json": ([tool("inspect"), q, "--json"], None, {}),
        "inspect-dump": ([tool("inspect"), q, "--dump", "model.layers.0.self_attn.q_proj.weight"], None, {}),
    }


def prepare(build, d):
    def run(*command):
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    held_out = open("tests/fixtures/adder/heldout.txt", "rb").read()
    for name, data in (("text", held_out[:1200]), ("words", held_out[:600]), ("prompts", b"What is 1 + 2?\nWhat is 2 + 5?\n"),
                       ("messages", b'[{"role":"user","content":"What is 1 + 2?"}]'), ("context", b'{"x":[1,2]}'),
                       ("more", open("tests/fixtures/adder/calibration.txt", "rb").read()[:600]),
                       ("schema", b'{"type":"object","properties":{"a":{"enum":[1,"b"]}}}'),
                       ("records", b"".join(b'{"messages":[{"role":"user","content":"What is 1 + %d?"},{"role":"assistant",'
                                            b'"content":"%d."}]}\n' % (i, 1 + i) for i in range(3))),
                       ("pairs", b'{"prompt":"What is 1 + 2?","chosen":"3.","rejected":"Who knows?"}\n' * 2),
                       ("boolq.jsonl", b'{"passage":"A","question":"is it","label":"true"}\n'
                                       b'{"passage":"B","question":"is it not","label":"false"}\n')):
        open(d + "/" + name, "wb").write(data)
    run(build + "/mote-convert", "tests/fixtures/adder", "-o", d + "/m.mote", "-q")
    for name, positions in (("small", 512), ("brief", 32)):
        small_model.make("tests/fixtures/adder", d + "/" + name, positions)
        run(build + "/mote-convert", d + "/" + name, "-o", d + "/" + name + ".mote", "-q")
    run(build + "/mote-convert", d + "/small.mote", "-o", d + "/small.gguf", "-q")
    run(build + "/mote-train", "sft", d + "/small.mote", "--data", d + "/records", "--lora", "2", "--batch", "2", "--max-length",
        "250", "--adapter", d + "/adapter", "-o", d + "/trained.mote")
    run(build + "/mote-quantize", d + "/m.mote", "-o", d + "/q.mote", "--type", "q4", "--encoder", "search", "-q", "--validate",
        d + "/words", "-c", "64")
    run(build + "/mote-run", d + "/q.mote", "-p", "What is 3 + 4?", "--temp", "0", "-n", "8", "-t", "2", "--save-session", d + "/session")
    run(build + "/mote-perplexity", d + "/m.mote", "-f", d + "/text", "-c", "64", "--chunks", "2", "--save-logits", d + "/logits")
    run(build + "/mote-train", "sft", d + "/small.mote", "--data", d + "/records", "--batch", "2", "--max-length", "250", "-t", "1",
        "--state", d + "/state", "--state-every", "1", "-o", d + "/trained.mote", "--force")
    run(build + "/mote-quantize", d + "/brief.mote", "--parts", d + "/parts", "-o", d + "/mixed.mote", "--bits", "6", "--calibrate",
        d + "/more", "--encoder", "round", "--no-validate")
    for i in "12":
        run(build + "/mote-quantize", d + "/brief.mote", "--shard", i + "/2", "-o", d + "/part" + i, "--bits", "6", "--calibrate",
            d + "/more", "--encoder", "round")
        run(build + "/mote-perplexity", d + "/q.mote", "-f", d + "/text", "-c", "64", "--chunks", "2", "--shard", i + "/2", "-o",
            d + "/p" + i)
        run(build + "/mote-eval", d + "/q.mote", "--task", "boolq=" + d + "/boolq.jsonl", "--shard", i + "/2", "-o", d + "/e" + i)


def run_typed(command, env, text):
    ours, terminal = pty.openpty()
    try:
        os.write(ours, text.encode())
        return subprocess.run(command, env=env, stdin=terminal, capture_output=True, timeout=LIMIT_SECONDS)
    finally:
        os.close(ours)
        os.close(terminal)


def plain(text):
    """Standard output without figures of time."""
    try:
        return without(json.loads(text), TIME_FIGURES)
    except ValueError:
        pass
    try:
        return [without(json.loads(line), TIME_FIGURES) for line in text.splitlines()]
    except ValueError:
        return text


def contents(folder):
    """{path: bytes}; a folder's are empty."""
    found = {}
    for at, folders, files in os.walk(folder):
        inside = os.path.relpath(at, folder)
        found.update({os.path.join(inside, name) + "/": b"" for name in folders})
        found.update({os.path.join(inside, name): open(os.path.join(at, name), "rb").read() for name in files})
    return found


class Run:
    def __init__(self, shim, d, job, fault=None, counts=None, stacks=None):
        command, given, before = job
        self.folder = tempfile.mkdtemp(dir=d)
        for name, source in before.items():
            shutil.copyfile(source, os.path.join(self.folder, name))
        self.before = contents(self.folder)
        # the same path for all runs, as outputs may name it
        env = dict(os.environ, LD_PRELOAD=shim, LC_ALL="C.UTF-8")
        if fault:
            env["MOTE_FAULT"] = fault
        if counts:
            env["MOTE_FAULT_COUNTS"] = counts
        if stacks:
            env["MOTE_FAULT_STACKS"] = stacks
        out = self.folder + "/"
        command = [part.replace("OUT/", out) for part in command]
        try:
            if command[0].endswith("mote-serve"):
                done = serve(command, env)
            elif isinstance(given, Typed):
                done = run_typed(command, env, given)
            else:
                done = subprocess.run(command, env=env, input=(given or "").encode(), capture_output=True,
                                      timeout=LIMIT_SECONDS)
            self.code = done.returncode
        except subprocess.TimeoutExpired as stopped:
            done, self.code = stopped, "no end"
        self.out = plain((done.stdout or b"").decode("utf-8", "replace").replace(out, "OUT/"))
        self.err = without_warnings(done.stderr or b"").decode("utf-8", "replace")
        self.after = contents(self.folder)
        shutil.rmtree(self.folder)


def judge(run, right, how):
    """What is wrong with a run, or None."""
    for name, data in run.after.items():
        if name not in right.after:
            return "left behind: " + name
        if data != right.after[name] and data != run.before.get(name):
            return "%s is neither what it was nor what it should be" % name
    if set(run.before) - set(run.after):
        return "a file is gone"
    if run.code == 0:
        if run.after != right.after:
            return "exit code 0 without the files"
        return None if same(run.out, right.out) else "exit code 0 with another output"
    if run.code not in ((1, 2, 3) if how == "end" else (1,)):
        return "exit code %s" % run.code
    return None if run.err.strip() else "no message"


def sample(count, most):
    if not most or count <= most:
        return range(1, count + 1)
    return sorted({1 + (count - 1) * i // (most - 1) for i in range(most)}) if most > 1 else [count // 2 + 1]


def of_stacks(path, most):
    """{kind: numbers of its calls}, of each stack the first ones and the last."""
    found = {}
    for line in open(path):
        kind, call, stack = line.split()
        found.setdefault(kind, {}).setdefault(stack, []).append(int(call))
    return {kind: sorted(k for calls in stacks.values() for k in sorted(set(calls[:most - 1] + calls[-1:])))
            for kind, stacks in found.items()}


def sweep(name, job, options, shim, d, pool):
    if name == "requests":
        none = options.kind and "alloc" not in options.kind.split(",")
        # all of a request that has few
        return sweep_requests(name, job[0], shim, d, lambda count: [] if none else
                              sample(count, options.sample * 12 if count > 150 else 0))
    counts, stacks = os.path.join(d, name + ".counts"), os.path.join(d, name + ".stacks")
    right = Run(shim, d, job, counts=counts)
    if right.code != 0:
        return 1, ["%s: exit code %s without a fault: %s" % (name, right.code, right.err)]
    if isinstance(right.out, dict) and None in right.out.get("answers", []):
        return 1, ["%s: no answer without a fault" % name]
    count = {line.split()[0]: int(line.split()[1]) for line in open(counts)}
    if options.stacks:
        Run(shim, d, job, stacks=stacks)
        calls = of_stacks(stacks, options.stacks)
    else:
        calls = {kind: sample(n, options.sample * (3 if kind == "alloc" else 1)) for kind, n in count.items()}
    points = [(kind, how, k) for kind, how in FAULTS if not options.kind or kind in options.kind.split(",") for k in calls.get(kind, [])
              if not (options.leaks and (kind, how) == ("map", "end"))]

    def one(point):
        kind, how, k = point
        run = Run(shim, d, job, fault="%s:%d:%s" % (kind, k, how))
        wrong = judge(run, right, how)
        return wrong and "%s, %s %d of %d (%s): %s%s" % (name, kind, k, count[kind], how, wrong,
                                                         "\n    " + run.err.strip()[-300:] if run.err.strip() else "")

    return 1 + len(points), [wrong for wrong in pool.map(one, points) if wrong]


def processor_seconds():
    """Of this process and of those that it has waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in used)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("shim")
    parser.add_argument("--sample", type=int, default=0)
    parser.add_argument("--job", default="")
    parser.add_argument("--kind", default="")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--stacks", type=int, default=0)
    parser.add_argument("--leaks", action="store_true")
    options = parser.parse_args()
    shim = os.path.abspath(options.shim)
    if options.leaks:  # preloaded behind the shim, which fails before it
        shim += ":" + os.path.realpath(subprocess.run(["cc", "-print-file-name=liblsan.so"], check=True, capture_output=True,
                                                      text=True).stdout.strip())
        os.environ["LSAN_OPTIONS"] = "fast_unwind_on_malloc=0:exitcode=99"
    passed = failed = 0
    with tempfile.TemporaryDirectory() as d, concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        prepare(options.build, d)
        for name, job in jobs(options.build, d).items():
            if options.job and name not in options.job.split(",") or not os.path.exists(job[0][0]):  # without a server: SERVER=0
                continue
            before = processor_seconds()
            points, wrong = sweep(name, job, options, shim, d, pool)
            passed += points - len(wrong)
            failed += len(wrong)
            print("%-20s %6d runs, %d bad, %.0f s of processor time" % (name, points, len(wrong), processor_seconds() - before),
                  *wrong, sep="\n  ", flush=True)
    print("%d passed, %d failed" % (passed, failed))
    sys.exit(failed > 0 or passed == 0)


main()

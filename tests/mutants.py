#!/usr/bin/env python3
"""Which lines does no test watch? Changes one operator or constant in a line of the library or a tool, builds, runs tests.

  mutants.py [--count N] [--minutes M] [--seed S] [--whole] [--work FOLDER] [FILE.c ...]

Works in a clone of the last commit below build/. The places are drawn at random, from all rooms when no file is named. The tests
of the changed room run first, then all test programs and the quick scripts; --whole: then everything that make check runs.
A mutant that survives is a line that no test watches, or a change that makes no difference: decide which, and write the missing
test. Compilers that refuse a change have killed nothing: it does not count.
"""
import argparse
import glob
import os
import random
import re
import subprocess
import sys
import time

CHANGES = [(r" < ", " <= "), (r" <= ", " < "), (r" > ", " >= "), (r" >= ", " > "), (r" \+ 1\b", " + 2"), (r" - 1\b", " - 0"),
           (r" && ", " || "), (r" \|\| ", " && "), (r" == ", " != "), (r" != ", " == "), (r"\breturn true;", "return false;"),
           (r"\breturn false;", "return true;"), (r" \+= ", " -= "), (r" -= ", " += "), (r"if \(!", "if ("), (r" \? ", " && 0 ? ")]
# The first folder that fits: test programs, scripts of tests/cli.
ROOMS = [("format/mote-inspect", "", "inspect"), ("format/inspect", "", "inspect"), ("format/tool", "console", "options terminal output"),
         ("format/output", "writer", "output"), ("format/json", "json console receipt replay_json", "limits"),
         ("format/directory", "container replay_container", "bad_input"), ("format", "container writer block utf8 cursor json replay_container", "inspect"),
         ("runtime/kernels", "kernels exact pool forward", ""),
         ("runtime/model/config", "config hf_config replay_config", ""),
         ("runtime/model", "model session sequences forward pass config", "run"),
         ("runtime/tokenizer", "tokenizer hf_tokenizer replay_tokenizer_section", "tokenize"),
         ("runtime/template", "template template_bounds template_origin replay_template", "tokenize"),
         ("runtime/chat", "answer scheduler", "run tokenize"), ("runtime/generate", "sampler answer scheduler", "run"),
         ("runtime/api", "", "run chat install"), ("runtime/serve", "serve", "serve"), ("runtime/mote-serve", "serve", "serve"),
         ("runtime/run", "", "run chat"), ("runtime/mote-run", "", "run chat"), ("runtime/mote-bench", "", "bench"),
         ("runtime/bench", "", "bench"), ("runtime/mote-tokenize", "", "tokenize"),
         ("convert/gguf", "gguf replay_gguf export", "convert export"), ("convert/hf/safetensors", "safetensors checkpoint", "convert"),
         ("convert/hf/hf_lora", "lora", "convert"),
         ("convert", "checkpoint checkpoint_names hf_config hf_families hf_tokenizer lora safetensors panel_pack export", "convert export"),
         ("quant/encode", "encode gptq quantize pipeline", "quantize"), ("quant/measure", "validate receipt", "perplexity"),
         ("quant/receipt", "receipt validate", "perplexity"), ("quant/eval", "eval", "eval"), ("quant/mote-eval", "eval", "eval"),
         ("quant/mote-perplexity", "", "perplexity"), ("quant", "pipeline quantize receipt", "quantize")]
QUICK = "tokenize convert limits bench hardening run options terminal output inspect"


def candidates(files):
    for name in files:
        for number, line in enumerate(open(name, encoding="utf-8").read().split("\n")):
            if line.startswith("\t") and '"' not in line and not line.strip().startswith(("*", "/*", "//")):
                for pattern, new in CHANGES:
                    if re.search(pattern, line):
                        yield name, number, pattern, new


def programs(names):
    """Those test programs that the commit has."""
    have = {"build/release/" + os.path.basename(f)[:-2] for f in glob.glob("tests/test_*.c")}
    have |= {"build/release/test_replay_" + os.path.basename(f)[5:-2] for f in glob.glob("tests/fuzz/fuzz_*.c")}
    return sorted(have) if names is None else sorted(have & {"build/release/test_" + n for n in names.split()})


def scripts(names):
    return [f for f in ("tests/cli/%s.sh" % n for n in names.split()) if os.path.exists(f)]


def fails(command, seconds=900):
    """Also true when it does not come to an end."""
    child = subprocess.Popen(command, shell=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
                             start_new_session=True)
    try:
        return child.wait(seconds) != 0
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, 9)
        child.wait()
        return True


def survives(name, make, whole):
    """None: it does not compile."""
    _, tests, cli = next(room for room in ROOMS if name.startswith(room[0]))
    first, all_tests = programs(tests), programs(None)
    if fails(make + " " + re.sub(r"\.c$", ".o", "build/release/" + name)):
        return None
    stages = [(first + ["all"] if cli else first, first + scripts(cli)), (all_tests + ["all"], all_tests + scripts(QUICK))]
    for targets, tests in stages:
        if tests and (fails(make + " " + " ".join(targets)) or fails("tests/run.sh build/release " + " ".join(tests))):
            return False
    return not (whole and fails(make + " check-run", 3600))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=150)
    parser.add_argument("--minutes", type=float, default=600)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--whole", action="store_true")
    parser.add_argument("--work", default="build/mutants")
    parser.add_argument("--make", default="make -s -j2")
    parser.add_argument("files", nargs="*")
    arguments = parser.parse_args()
    if not os.path.exists(arguments.work):
        subprocess.run(["git", "clone", "-q", ".", arguments.work], check=True)
    os.chdir(arguments.work)
    files = arguments.files or subprocess.run(["git", "ls-files", "format/*.c", "runtime/*.c", "convert/*.c", "quant/*.c"],
                                              capture_output=True, text=True, check=True).stdout.split()
    places = list(candidates(files))
    random.Random(arguments.seed).shuffle(places)
    end, tried, survivors = time.time() + 60 * arguments.minutes, 0, 0
    for name, number, pattern, new in places:
        if tried == arguments.count or time.time() > end:
            break
        text = open(name, encoding="utf-8").read()
        lines = text.split("\n")
        old = lines[number]
        lines[number] = re.sub(pattern, new, old, count=1)
        try:
            open(name, "w", encoding="utf-8").write("\n".join(lines))
            survived = survives(name, arguments.make, arguments.whole)
        finally:
            open(name, "w", encoding="utf-8").write(text)
        if survived is not None:
            tried += 1
            survivors += survived
            print("%s %s:%d: %s  =>  %s" % ("SURVIVED" if survived else "killed  ", name, number + 1, old.strip(),
                                            lines[number].strip()), flush=True)
    print("%d mutants of %d places, %d survived" % (tried, len(places), survivors))
    sys.exit(tried == 0)


main()

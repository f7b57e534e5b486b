"""mote-convert against a reader of its own: each tensor of each container, read as docs/container-format.md says,
equals the checkpoint's bytes. Then sizes, memory, speed and repeatability at TRLM's shape (whose checkpoint
tools/make_trlm_checkpoint.py beside DATA writes), shards and the other spelling of merges, and tokenizers without weights.

    DATA=../shared/data MOTE_BUILD=build/release python3 tests/conformance/convert.py [--time]

--time also holds the conversion to half the speed of cp (both without a cold cache; a busy machine fails it).
"""
import json
import os
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import time

import numpy as np

DATA = os.environ["DATA"]
CONVERT = os.path.join(os.environ["MOTE_BUILD"], "mote-convert")
INSPECT = os.path.join(os.environ["MOTE_BUILD"], "mote-inspect")
MAX_RSS = 250_000_000
passed = failed = 0


def check(name, good, detail=""):
    global passed, failed
    if good:
        passed += 1
    else:
        failed += 1
        print("failed:", name, detail)


def read_checkpoint(folder):
    """name -> (dtype, array of its bits), from every shard"""
    tensors = {}
    for file in sorted(os.listdir(folder)):
        if not file.endswith(".safetensors"):
            continue
        data = np.memmap(os.path.join(folder, file), np.uint8, "r")
        size = struct.unpack("<Q", data[:8].tobytes())[0]
        for name, t in json.loads(data[8 : 8 + size].tobytes()).items():
            if name == "__metadata__":
                continue
            begin, end = (8 + size + x for x in t["data_offsets"])
            bits = data[begin:end].view(np.uint32 if t["dtype"] == "F32" else np.uint16)
            tensors[name] = t["dtype"], bits.reshape(t["shape"])
    return tensors


def read_container(path):
    """name -> (type, bytes, rank, rows, cols), in file order"""
    data = np.memmap(path, np.uint8, "r")
    sections, _, table = struct.unpack_from("<IQQ", data, 12)
    kinds = {}
    for i in range(sections):
        kind, _, offset, stored = struct.unpack_from("<IIQQ", data, table + 48 * i)
        kinds[kind] = offset, stored
    at, stored = kinds[1]
    count = struct.unpack_from("<I", data, at)[0]
    names = data[at + 8 + 72 * count : at + stored].tobytes().split(b"\0")
    tensors = {}
    for i in range(count):
        offset, size = struct.unpack_from("<QQ", data, at + 8 + 72 * i)
        kind, rank, rows, cols = struct.unpack_from("<IIII", data, at + 8 + 72 * i + 48)
        tensors[names[i].decode()] = kind, data[offset : offset + size], rank, rows, cols
    return tensors


def unpack(kind, data, rank, rows, cols):
    if rank == 1:
        return data.view(np.uint32)
    element = np.uint32 if kind == 1 else np.uint16
    panels = data.reshape(-(-rows // 16), -1)[:, : cols * 16 * np.dtype(element).itemsize]
    panels = np.ascontiguousarray(panels).view(element).reshape(-1, cols, 16)
    return panels.transpose(0, 2, 1).reshape(-1, cols)[:rows]


def as_f32(dtype, bits):
    if dtype == "F32":
        return bits.view(np.float32)
    if dtype == "F16":
        return bits.view(np.float16).astype(np.float32)
    return (bits.astype(np.uint32) << 16).view(np.float32)


def compare(label, folder, path):
    source, made = read_checkpoint(folder), read_container(path)
    check(label + ": the same tensors", source.keys() == made.keys())
    check(label + ": the embedding first", next(iter(made)) == "model.embed_tokens.weight")
    wrong = []
    for name, (dtype, bits) in source.items():
        kind, _, rank, rows, cols = made[name]
        kept = {"F32": 1, "F16": 2, "BF16": 3}[dtype] if rank == 2 else 1
        expected = bits if rank == 2 else as_f32(dtype, bits).view(np.uint32)
        if kind != kept or (rows, cols)[:rank] != bits.shape or not np.array_equal(unpack(*made[name]), expected):
            wrong.append(name)
    check(f"{label}: {len(source)} tensors bit for bit", not wrong, wrong)


def convert(folder, output, *options):
    if os.path.exists(output):
        os.unlink(output)
    started = time.monotonic()
    result = subprocess.run([CONVERT, folder, "-o", output, *options], capture_output=True, text=True)
    seconds = time.monotonic() - started
    check(f"{folder} {' '.join(options)}", result.returncode == 0, result.stderr)
    return seconds, result.stderr


def peak_rss(folder, output):
    """of a conversion, in bytes; a process of its own, so that no other child counts"""
    code = ("import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True, stderr=subprocess.DEVNULL);"
            "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024)")
    return int(subprocess.check_output([sys.executable, "-c", code, CONVERT, folder, "--force", "-o", output]))


def same(a, b):
    return subprocess.run(["cmp", "-s", a, b]).returncode == 0


def sections(path):
    return {s["name"]: s for s in json.loads(subprocess.check_output([INSPECT, "--json", path]))["sections"]}


def test_trained(work):
    for name in ("tiny1m", "stories260k"):
        folder, output = os.path.join(DATA, "models", name), os.path.join(work, name)
        convert(folder, output)
        compare(name, folder, output)
        for dtype, kind in (("f16", 2), ("bf16", 3)):
            convert(folder, output, "--dtype", dtype)
            wrong = []
            for tensor, (source_dtype, bits) in read_checkpoint(folder).items():
                made = read_container(output)[tensor]
                x = as_f32(source_dtype, bits)
                if made[2] == 1:
                    expected = x.view(np.uint32)
                elif dtype == "f16":
                    expected = x.astype(np.float16).view(np.uint16)
                else:
                    u = x.view(np.uint32)
                    expected = ((u + 0x7FFF + (u >> 16 & 1)) >> 16).astype(np.uint16)
                if not np.array_equal(unpack(*made), expected):
                    wrong.append(tensor)
            check(f"{name} as {dtype}, rounded as numpy does", not wrong, wrong)


def test_tokenizers(work):
    for name in sorted(os.listdir(os.path.join(DATA, "tokenizers"))):
        folder = os.path.join(DATA, "tokenizers", name)
        if name == "goldens":
            continue
        warning = convert(folder, os.path.join(work, name), "--vocab-only")[1]
        check(f"{name}: warns of bytes as it should",
              ("04 06 13 14 16 1D F1 F2" in warning) == name.startswith("smollm2"), warning)


def make_trlm(folder):
    tool = os.path.join(DATA, "..", "tools", "make_trlm_checkpoint.py")
    subprocess.run(["/usr/bin/python3", tool, folder], check=True)


def split(folder, target, shards):
    """the same checkpoint, dealt out as make_trlm_checkpoint.py --shards does"""
    shutil.copytree(folder, target, ignore=shutil.ignore_patterns("model.safetensors"))
    tensors, weight_map = sorted(read_checkpoint(folder).items()), {}
    for k in range(shards):
        file, head, at = f"model-{k + 1:05d}-of-{shards:05d}.safetensors", {}, 0
        for name, (dtype, bits) in tensors[k::shards]:
            head[name] = {"dtype": dtype, "shape": bits.shape, "data_offsets": [at, at + bits.nbytes]}
            at += bits.nbytes
            weight_map[name] = file
        text = json.dumps(head).encode()
        with open(os.path.join(target, file), "wb") as f:
            f.write(struct.pack("<Q", len(text)) + text)
            for _, (_, bits) in tensors[k::shards]:
                bits.tofile(f)
    with open(os.path.join(target, "model.safetensors.index.json"), "w") as f:
        json.dump({"metadata": {}, "weight_map": weight_map}, f)


def test_trlm(work):
    folder, output, again = (os.path.join(work, x) for x in ("trlm", "trlm.mote", "again.mote"))
    make_trlm(folder)
    warning = convert(folder, output)[1]
    check("trlm: warns of bytes", "04 06 13 14 16 1D F1 F2" in warning, warning)
    compare("trlm", folder, output)
    convert(folder, again)
    check("trlm: same bytes again", same(output, again))
    convert(folder, again, "--threads", "1")
    check("trlm: same bytes with one thread", same(output, again))
    rss = peak_rss(folder, again)
    check(f"trlm: peak memory {rss / 1e6:.0f} MB", rss < MAX_RSS)
    metadata = json.loads(subprocess.check_output([INSPECT, "--json", output]))["metadata"]
    hashes = {s["file"]: s["xxh3"] for s in metadata["lineage"][0]["source"]}
    for file, value in hashes.items() if shutil.which("xxh128sum") else ():
        found = subprocess.check_output(["xxh128sum", os.path.join(folder, file)], text=True,
                                        stderr=subprocess.DEVNULL).split()[0]
        check(f"trlm: lineage of {file}", found == value)

    shards = os.path.join(work, "trlm3")
    split(folder, shards, 3)
    convert(shards, again)
    compare("trlm in 3 shards", shards, again)
    rss = peak_rss(shards, again)
    check(f"trlm in 3 shards: peak memory {rss / 1e6:.0f} MB", rss < MAX_RSS)
    shutil.rmtree(shards)

    # merges as pairs instead of strings: SmolLM2's tokenizer in both spellings, on the same weights
    for name in ("smollm2-135m-instruct", "smollm2-135m-instruct-alt"):
        tokenizer = os.path.join(folder, "tokenizer.json")
        os.unlink(tokenizer)
        shutil.copy(os.path.join(DATA, "tokenizers", name, "tokenizer.json"), tokenizer)
        convert(folder, os.path.join(work, name + ".mote"))
    a, b = (sections(os.path.join(work, "smollm2-135m-instruct" + x + ".mote"))["tokenizer"] for x in ("", "-alt"))
    check("both spellings of merges compile to as many bytes", a["raw_bytes"] == b["raw_bytes"])
    with open(os.path.join(work, "smollm2-135m-instruct.mote"), "rb") as f, \
         open(os.path.join(work, "smollm2-135m-instruct-alt.mote"), "rb") as g:
        f.seek(a["offset"])
        g.seek(b["offset"])
        check("both spellings of merges compile to the same bytes", f.read(a["bytes"]) == g.read(b["bytes"]))
    return folder


def test_speed(work, folder):
    weights = os.path.join(folder, "model.safetensors")
    copy, output = os.path.join(work, "copy"), os.path.join(work, "m")
    copying, converting = [], []
    for _ in range(11):
        if os.path.exists(copy):
            os.unlink(copy)
        started = time.monotonic()
        subprocess.run(["cp", weights, copy], check=True)
        copying.append(time.monotonic() - started)
        os.unlink(copy)
        converting.append(convert(folder, output, "-q")[0])
    cp, own = statistics.median(copying), statistics.median(converting)
    print(f"cp {cp:.3f} s, mote-convert {own:.3f} s: {own / cp:.2f} times as long (medians of 11)")
    check("half the speed of cp", own <= 2 * cp)


def main():
    with tempfile.TemporaryDirectory() as work:
        test_trained(work)
        test_tokenizers(work)
        folder = test_trlm(work)
        if "--time" in sys.argv:
            test_speed(work, folder)
    print(f"{passed} passed, {failed} failed")
    sys.exit(failed != 0)


main()

"""mote-quantize against ggml (plain rounding, value for value) and against what its encoders promise on trained models.

    MOTE_BUILD=build/release DATA=../shared/data /usr/bin/python3 tests/conformance/quantize.py

ggml's own quantize_row_q4_0_ref and quantize_row_q8_0_ref come from the npm package @node-llama-cpp/linux-x64; without
npm that part is skipped and says so.
"""
import ctypes, json, os, struct, subprocess, sys, tempfile
import numpy as np

BUILD, DATA = os.environ["MOTE_BUILD"], os.environ["DATA"]
passed = failed = 0


def check(ok, what):
    global passed, failed
    passed, failed = passed + bool(ok), failed + (not ok)
    if not ok:
        print("FAIL:", what)


def tool(name, *arguments):
    return subprocess.run([f"{BUILD}/{name}", *arguments], check=True, capture_output=True, text=True).stdout


def ggml(folder):
    """The library, or None."""
    command = ["npm", "install", "--prefix", folder, "--ignore-scripts", "--omit=optional", "--no-save", "--force",
               "@node-llama-cpp/linux-x64@3.22.1"]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    for root, _, files in os.walk(folder):
        if "libggml-base.so" in files:
            return ctypes.CDLL(os.path.join(root, "libggml-base.so"))
    return None


def tensors(path):
    data = open(path, "rb").read()
    size = struct.unpack("<Q", data[:8])[0]
    for name, t in json.loads(data[8:8 + size]).items():
        if name != "__metadata__" and len(t["shape"]) == 2 and t["dtype"] == "F32":
            begin, end = t["data_offsets"]
            yield name, np.frombuffer(data[8 + size + begin:8 + size + end], np.float32).reshape(t["shape"])


def ggml_values(library, kind, rows):
    """What ggml's blocks decode to, by its definition."""
    padded = np.ascontiguousarray(np.pad(rows, ((0, 0), (0, -rows.shape[1] % 32))))
    n, block = padded.size, 18 if kind == "q4" else 34
    out = np.zeros(n // 32 * block, np.uint8)
    quantize = library.quantize_row_q4_0_ref if kind == "q4" else library.quantize_row_q8_0_ref
    quantize(padded.ctypes.data_as(ctypes.c_void_p), out.ctypes.data_as(ctypes.c_void_p), ctypes.c_int64(n))
    blocks = out.reshape(-1, block)
    scale = blocks[:, :2].copy().view(np.float16).astype(np.float32)
    if kind == "q4":
        quants = np.concatenate([blocks[:, 2:] & 15, blocks[:, 2:] >> 4], 1).astype(np.float32) - 8
    else:
        quants = blocks[:, 2:].copy().view(np.int8).astype(np.float32)
    return (quants * scale).reshape(padded.shape)[:, :rows.shape[1]]


def compare_rounding(library, model, container, folder):
    for kind in "q4", "q8":
        out = f"{folder}/round.mote"
        tool("mote-quantize", container, "-o", out, "--force", "--type", kind, "--tensor", f"*={kind}", "--encoder",
             "round", "--no-validate", "--quiet")
        for name, rows in tensors(f"{DATA}/models/{model}/model.safetensors"):
            text = tool("mote-inspect", out, f"--dump={name}")
            mine = np.array(text.split(), np.float32).reshape(rows.shape)
            check(np.array_equal(mine, ggml_values(library, kind, rows)), f"{model} {kind} {name}: not what ggml gives")


def measure(container, text, folder, *arguments):
    out = tool("mote-quantize", container, "-o", f"{folder}/q.mote", "--force", "--validate", text, "-c", "256",
               "--json", *arguments)
    return json.loads(out)["receipt"]["figures"]


def compare_quality(model, container, text, folder, q8_most, q4_search_most, best_share):
    q8 = measure(container, text, folder, "--type", "q8")
    plain = measure(container, text, folder, "--type", "q4", "--encoder", "round")
    search = measure(container, text, folder, "--type", "q4", "--encoder", "search")
    best = measure(container, text, folder, "--type", "q4")
    print(f"{model}: KLD q8 {q8['kld_mean']:.5f}; q4 round {plain['kld_mean']:.4f}, search {search['kld_mean']:.4f}, "
          f"best {best['kld_mean']:.4f} ({best['kld_mean'] / plain['kld_mean']:.2f} of round); perplexity "
          f"x{plain['perplexity_ratio']:.4f}, x{best['perplexity_ratio']:.4f}")
    check(q8["kld_mean"] <= q8_most, f"{model}: q8 {q8['kld_mean']}")
    check(search["kld_mean"] <= q4_search_most * plain["kld_mean"], f"{model}: search {search['kld_mean']}")
    check(best["kld_mean"] <= best_share * plain["kld_mean"], f"{model}: best {best['kld_mean']}")
    check(best["perplexity_ratio"] - 1 <= (plain["perplexity_ratio"] - 1) / 2, f"{model}: {best['perplexity_ratio']}")


with tempfile.TemporaryDirectory() as folder:
    text = f"{folder}/tail.txt"
    open(text, "wb").write(open(f"{DATA}/text/tinystories.txt", "rb").read()[-60000:])
    library = ggml(folder)
    if not library:
        print("npm or its registry is not there: ggml's rounding is not compared")
    # The limits: q8's KLD; q4 by search and by the best encoder as shares of plain rounding's.
    for model, q8_most, search_most, best_share in (("tiny1m", 0.0014, 0.107 / 0.117, 0.45),
                                                    ("stories260k", 0.0018, 0.155 / 0.164, 0.45)):
        container = f"{folder}/{model}.mote"
        tool("mote-convert", f"{DATA}/models/{model}", "-o", container)
        if library:
            compare_rounding(library, model, container, folder)
        compare_quality(model, container, text, folder, q8_most, search_most, best_share)

print(f"{passed} passed, {failed} failed")
sys.exit(failed > 0)

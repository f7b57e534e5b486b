"""Pre-tokenizers against a second implementation (Python's regex) over random texts, seeded.

The tokenizers made here have no merges, and give the last byte of each piece a token of its own
(end_of_word_suffix), so the ids show where pieces end. Texts are put together with an added token between them:
one run of mote-tokenize encodes them all.

  tokenizer_patterns.py [TEXTS [SEED]]
"""
import json
import os
import random
import subprocess
import sys
import tempfile
import unicodedata

import regex

BUILD = os.environ.get("MOTE_BUILD", "build/release")
TEXTS = int(sys.argv[1]) if len(sys.argv) > 1 else 20000
SEED = int(sys.argv[2]) if len(sys.argv) > 2 else 1

# The alphabet of byte-level vocabularies, as the GPT-2 paper's code makes it.
printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
ALPHABET = {b: chr(b) for b in printable}
ALPHABET.update({b: chr(256 + i) for i, b in enumerate(b for b in range(256) if b not in printable)})

SPACE = r"\p{White_Space}"
WORD = r"\p{Alphabetic}\p{M}\p{Nd}\p{Pc}"
# Outside of classes Oniguruma looks Latin-1 up in a table of its own, which has the powers and fractions too.
WORD_ALONE = WORD + "²³¹¼½¾"
GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
          r"|\s*[\r\n]+|\s+(?!\S)|\s+")
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")
GPT4O = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
         r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
         r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")
DEEPSEEK = r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
BLOOM = r" ?[^(\s|[.,!?…。，、।۔،])]+"
WORDS = r"\w+|[^\w\s]+"


def python_pattern(pattern):
    """The classes spelled out: what \\s and \\w mean differs between implementations."""
    out, in_class, i = "", False, 0
    while i < len(pattern):
        two = pattern[i:i + 2]
        if two in (r"\s", r"\w", r"\S"):
            inner = SPACE if two != r"\w" else WORD if in_class else WORD_ALONE
            out += inner if in_class else ("[^" if two == r"\S" else "[") + inner + "]"
            i += 2
        elif two[0] == "\\":
            out += two
            i += 2
        else:
            in_class = {"[": True, "]": False}.get(two[0], in_class)
            out += two[0]
            i += 1
    return regex.compile(out, regex.V0)


def segments(compiled, text):
    """[(piece, is a match)] in order, without empty ones."""
    out, at = [], 0
    for m in compiled.finditer(text):
        out += [(text[at:m.start()], False), (m.group(), True)]
        at = m.end()
    out.append((text[at:], False))
    return [s for s in out if s[0]]


def behave(parts, behavior, invert=False):
    parts = [(t, m != invert) for t, m in parts]
    if behavior == "Removed":
        return [t for t, m in parts if not m]
    if behavior == "Isolated":
        return [t for t, _ in parts]
    out = []
    if behavior == "MergedWithNext":
        last = False
        for t, m in reversed(parts):
            if m and not last and out:
                out[-1] = t + out[-1]
            else:
                out.append(t)
            last = m
        return out[::-1]
    last = False
    for t, m in parts:
        if (m == last if behavior == "Contiguous" else m and not last) and out:
            out[-1] += t
        else:
            out.append(t)
        last = m
    return out


def split(pattern, behavior="Isolated", invert=False):
    compiled = python_pattern(pattern)
    return lambda pieces: [p for t in pieces for p in behave(segments(compiled, t), behavior, invert)]


def chain(*steps):
    def run(pieces):
        for step in steps:
            pieces = step(pieces)
        return pieces
    return run


def to_alphabet(pieces):
    return ["".join(ALPHABET[b] for b in p.encode("utf-8")) for p in pieces]


def from_alphabet(pieces):
    back = {c: b for b, c in ALPHABET.items()}
    return [bytes(back[c] for c in p) for p in pieces]


def json_split(pattern, behavior="Isolated", invert=False, kind="Regex"):
    return {"type": "Split", "pattern": {kind: pattern}, "behavior": behavior, "invert": invert}


BYTES = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
DIGITS = {"type": "Digits", "individual_digits": True}
PUNCTUATION = r"[\p{P}\x21-\x2f\x3a-\x40\x5b-\x60\x7b-\x7e]"
BEHAVIORS = ("Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous")
CASES = [
    ("GPT-2", [{**BYTES, "use_regex": True}], split(GPT2)),
    ("GPT-2 with a prefix space", [{**BYTES, "use_regex": True, "add_prefix_space": True}],
     chain(lambda ps: [p if p.startswith(" ") else " " + p for p in ps], split(GPT2))),
    ("SmolLM2", [DIGITS, {**BYTES, "use_regex": True}], chain(split(r"\p{N}"), split(GPT2))),
    ("Llama 3", [json_split(LLAMA3), BYTES], split(LLAMA3)),
    ("Llama 3, removed and inverted", [json_split(LLAMA3, "Removed", True), BYTES], split(LLAMA3)),
    ("Qwen 2", [json_split(QWEN2), BYTES], split(QWEN2)),
    ("GPT-4o, by PCRE2", [json_split(GPT4O), BYTES], split(GPT4O)),
    ("DeepSeek, by PCRE2", [json_split(r"\p{N}{1,3}"), json_split("[一-龥぀-ゟ゠-ヿ]+"), json_split(DEEPSEEK), BYTES],
     chain(split(r"\p{N}{1,3}"), split("[一-龥぀-ゟ゠-ヿ]+"), split(DEEPSEEK))),
    ("BLOOM, by PCRE2", [json_split(BLOOM), BYTES], split(BLOOM.replace("|[", "|").replace("])]", ")]"))),
    ("Falcon", [{"type": "Punctuation", "behavior": "Contiguous"}, {**BYTES, "use_regex": True}, DIGITS, json_split("[0-9][0-9][0-9]")],
     chain(split(PUNCTUATION, "Contiguous"), split(GPT2), to_alphabet, split(r"\p{N}"), from_alphabet)),
    ("Llama 3, by PCRE2", [json_split("(?:" + LLAMA3 + ")"), BYTES], split(LLAMA3)),
    ("words, by PCRE2", [json_split(r"(?:\w+|[^\w\s]+)", "Removed", True), BYTES], split(WORDS, "Removed", True)),
    ("Whitespace", [{"type": "Whitespace"}, BYTES], split(r"[\w‌‍]+|[^\w\s‌‍]+", "Removed", True)),
    ("WhitespaceSplit", [{"type": "WhitespaceSplit"}, BYTES], split(r"\s", "Removed")),
    ("BertPreTokenizer", [{"type": "BertPreTokenizer"}, BYTES], chain(split(r"\s", "Removed"), split(PUNCTUATION))),
    ("Digits", [{"type": "Digits", "individual_digits": False}, BYTES], split(r"\p{N}", "Contiguous")),
    ("CharDelimiterSplit", [{"type": "CharDelimiterSplit", "delimiter": "a"}, BYTES], split("a", "Removed")),
    ("line anchors", [json_split(r"^[a-z]+|[0-9]+$"), BYTES],
     split(r"(?:(?<=\n)(?!\Z)|(?<!.|\n))[a-z]+|[0-9]+(?=\n|\Z)")),
    ("word boundary", [json_split(r"\b"), BYTES],
     split(rf"(?<=[{WORD_ALONE}])(?![{WORD_ALONE}])|(?<![{WORD_ALONE}])(?=[{WORD_ALONE}])")),
]
for b in BEHAVIORS:
    CASES.append((f"Punctuation {b}", [{"type": "Punctuation", "behavior": b}, BYTES], split(PUNCTUATION, b)))
    CASES.append((f"String {b}", [json_split("a1", b, kind="String"), BYTES], split("a1", b)))
    for invert in (False, True):
        CASES.append((f"Regex {b} {invert}", [json_split(r"[a-z]{1,2}\s?", b, invert), BYTES],
                      split(r"[a-z]{1,2}\s?", b, invert)))

COMMON = ["'s", "'S", "'ll", "'RE", "'ve", "'ſ", "'", " ", "  ", "\n", "\r\n", "\t", "\u3000", "\xa0", "\x85", "\u180e",
          "\u200d",
          "a", "a1", "the", "Word", "É", "ß", "é", "漢字", "かな", "한글", "العربية", "हिन्दी", "1", "12", "123", "½", "²",
          "Ⅷ", "٣", "४",
          ".", ",", "!", "_", "-", "—", "«", "…", "$", "€", "😀", "👍🏽", "e\u0301", "\u0301", "Ⓐ", "ǅ", "\x00", "\x1c",
          "\ufeff"]


def random_text(rng):
    parts = []
    for _ in range(rng.randrange(1, 24)):
        kind = rng.random()
        if kind < 0.75:
            parts.append(rng.choice(COMMON))
        elif kind < 0.9:
            parts.append(chr(rng.choice((rng.randrange(0x20, 0x250), rng.randrange(0x250, 0x3000)))))
        else:
            c = rng.randrange(0x3000, 0x11000 if kind < 0.97 else 0x20000)
            parts.append(chr(c) if not 0xd800 <= c < 0xe000 else "?")
    # PCRE2 and Python know Unicode 14, utf8proc and regex 15: what is younger would be compared for nothing.
    return "".join(c for c in "".join(parts) if unicodedata.category(c) != "Cn" and c not in "\ue000\ue001")


def make_tokenizer(steps, folder):
    vocab = {}
    for suffix in ("", "\ue001"):
        for b in range(256):
            vocab[ALPHABET[b] + suffix] = len(vocab)
    data = {"version": "1.0", "added_tokens": [{"id": 512, "content": "\ue000", "single_word": False, "lstrip": False,
                                                "rstrip": False, "normalized": False, "special": True}],
            "normalizer": None, "pre_tokenizer": {"type": "Sequence", "pretokenizers": steps}, "post_processor": None,
            "decoder": {"type": "ByteLevel"},
            "model": {"type": "BPE", "end_of_word_suffix": "\ue001", "vocab": vocab, "merges": []}}
    os.makedirs(folder, exist_ok=True)
    json.dump(data, open(folder + "/tokenizer.json", "w"))


def pieces_of(ids):
    """Lists of pieces, one for each text."""
    texts, piece = [[]], bytearray()
    for i in ids:
        if i == 512:
            texts.append([])
            continue
        piece.append(i % 256)
        if i >= 256:
            texts[-1].append(bytes(piece))
            piece = bytearray()
    return texts


rng = random.Random(SEED)
texts = [random_text(rng) for _ in range(TEXTS)]
joined = "\ue000".join(texts).encode("utf-8")
passed = failed = 0
with tempfile.TemporaryDirectory() as folder:
    for name, steps, expected in CASES:
        make_tokenizer(steps, folder)
        subprocess.run([f"{BUILD}/mote-convert", "--vocab-only", "--force", "-q", folder, "-o", folder + "/t.mote"],
                       check=True)
        run = subprocess.run([f"{BUILD}/mote-tokenize", folder + "/t.mote", "--json"], input=joined,
                             capture_output=True, check=True)
        got = pieces_of(json.loads(run.stdout)["ids"])
        wrong = [(t, g, w) for t, g, w in zip(texts, got, (expected([t]) if t else [] for t in texts))
                 if g != [p if isinstance(p, bytes) else p.encode("utf-8") for p in w]]
        if len(got) != len(texts) or wrong:
            failed += 1
            print(f"FAIL  {name}: seed {SEED}, {len(wrong)} of {len(texts)} texts, first: {wrong[:2]!a}")
        else:
            passed += 1
print(f"{passed} passed, {failed} failed")
sys.exit(failed > 0)

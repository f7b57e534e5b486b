// Makes goldens.json: small tokenizers of every kind, and what @huggingface/tokenizers 0.2.0 (npm) makes of random
// texts. Left out is where that library knowingly departs from the Rust one: Metaspace's "split", byte fallback in
// Unigram, final sigma in Lowercase, Precompiled.
//   npm install @huggingface/tokenizers@0.2.0 && node make_goldens.mjs > goldens.json
import { Tokenizer } from "@huggingface/tokenizers";

let state = 1n;
function random(n) { // the same texts from every run
  state = (state * 6364136223846793005n + 1442695040888963407n) & 0xffffffffffffffffn;
  return Number((state >> 33n) % BigInt(n));
}

const PARTS = ["'s", " ", "  ", "\n", "\t", "a", "b", "ab", "abc", "the", "Word", "É", "é", "e\u0301", "ñ", "ß", "İ", "ﬁ", "½",
  "①", "漢", "字", "한", "각", "か", "が", "か\u3099", "<s>", "</s>", "<unk>", "[X]", "▁", "_", "23", "٣", ".", ",", "!", "😀",
  "\u200b", "\u00ad", "Å", "\u212b", "q\u0323\u0307", "q\u0307\u0323", "ǅ", "σ"];
const CHARS = [...new Set(PARTS.join(""))].filter((c) => c !== "😀" && c !== "字");
const MERGES = ["a b", "t h", "th e", "ab c", "▁ a", "▁ th", "▁ the", "W o", "r d", "Wo rd", "▁ ▁", "▁ ab", "2 3", "▁▁ ▁▁", "b a",
  "▁ abc", "▁ Word", "か \u3099"];
const text = () => Array.from({ length: 1 + random(12) }, () => PARTS[random(PARTS.length)]).join("");

function bpe(more) {
  const vocab = {};
  const put = (t) => { vocab[t] ??= Object.keys(vocab).length; };
  ["<unk>", "<s>", "</s>"].forEach(put);
  if (more.byte_fallback) for (let b = 0; b < 256; b++) put(`<0x${b.toString(16).toUpperCase().padStart(2, "0")}>`);
  CHARS.forEach(put);
  MERGES.forEach((m) => put(m.replace(" ", "")));
  return { type: "BPE", unk_token: "<unk>", fuse_unk: true, byte_fallback: false, vocab, merges: MERGES, ...more };
}

function unigram() {
  const vocab = [["<unk>", 0], ["<s>", 0], ["</s>", 0]], seen = new Set(["<unk>", "<s>", "</s>"]);
  for (const piece of [...CHARS, "ab", "abc", "the", "▁the", "▁a", "▁ab", "▁abc", "Word", "▁Word", "rd", "▁W", "or", "23", "▁▁", "ba",
    "cab", "▁th", "he", "か\u3099"]) if (!seen.has(piece)) { seen.add(piece); vocab.push([piece, -(1 + random(8000) / 1000)]); }
  return { type: "Unigram", unk_id: 0, vocab };
}

const added = (flags = {}) => ["<unk>", "<s>", "</s>"].map((content, id) => (
  { id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special: true, ...flags }));
const metaspace = (prepend_scheme) => ({ type: "Metaspace", replacement: "▁", prepend_scheme, split: false });
const sequence = (...normalizers) => ({ type: "Sequence", normalizers });
const LLAMA = sequence({ type: "Prepend", prepend: "▁" }, { type: "Replace", pattern: { String: " " }, content: "▁" });
const make = (model, normalizer, pre_tokenizer, added_tokens = added()) => (
  { version: "1.0", added_tokens, normalizer, pre_tokenizer, post_processor: null, decoder: null, model });
const bytes = bpe({ byte_fallback: true });

const tokenizers = {
  "NFC": make(bytes, { type: "NFC" }, metaspace("always")),
  "NFD": make(bytes, { type: "NFD" }, metaspace("always")),
  "NFKC": make(bytes, { type: "NFKC" }, metaspace("always")),
  "NFKD": make(bytes, { type: "NFKD" }, metaspace("always")),
  "Lowercase": make(bytes, { type: "Lowercase" }, metaspace("always")),
  "StripAccents": make(bytes, sequence({ type: "NFD" }, { type: "StripAccents" }), metaspace("always")),
  "Strip": make(bytes, { type: "Strip", strip_left: true, strip_right: true }, metaspace("always")),
  "Strip left": make(bytes, { type: "Strip", strip_left: true, strip_right: false }, metaspace("never")),
  "Replace": make(bytes, sequence({ type: "Replace", pattern: { Regex: " {2,}" }, content: " " },
    { type: "Replace", pattern: { String: "ab" }, content: "Word" }), metaspace("always")),
  "BertNormalizer": make(bytes, { type: "BertNormalizer", clean_text: true, handle_chinese_chars: true, strip_accents: null,
    lowercase: true }, metaspace("always")),
  "Metaspace always": make(bytes, null, metaspace("always")),
  "Metaspace first": make(bytes, null, metaspace("first")),
  "Metaspace never": make(bytes, null, metaspace("never")),
  "Metaspace of old": make(bytes, null, { type: "Metaspace", replacement: "▁", str_rep: "▁", add_prefix_space: true, split: false }),
  "BPE with unk": make(bpe({}), null, metaspace("always")),
  "BPE without fuse_unk": make(bpe({ fuse_unk: false }), null, metaspace("always")),
  "BPE with ignore_merges": make(bpe({ byte_fallback: true, ignore_merges: true }), null, metaspace("always")),
  "Llama 2": make(bytes, LLAMA, null),
  "Llama 2 with normalized tokens": make(bytes, LLAMA, null, added({ normalized: true })),
  "Lowercase with normalized tokens": make(bytes, { type: "Lowercase" }, metaspace("always"), added({ normalized: true })),
  "Unigram always": make(unigram(), null, metaspace("always")),
  "Unigram first": make(unigram(), null, metaspace("first")),
  "Unigram never": make(unigram(), { type: "NFKC" }, metaspace("never")),
};

const goldens = [];
for (const [name, tokenizer] of Object.entries(tokenizers)) {
  const reference = new Tokenizer(tokenizer, {});
  const cases = Array.from({ length: 60 }, text).map((t) => [t, reference.encode(t, { add_special_tokens: false }).ids]);
  goldens.push({ name, tokenizer, cases });
}
// One tokenizer or case a line, so that a change can be read.
console.log("[" + goldens.map(({ name, tokenizer, cases }) => `{"name":${JSON.stringify(name)},\n"tokenizer":${JSON.stringify(tokenizer)},\n` +
  `"cases":[\n${cases.map((c) => JSON.stringify(c)).join(",\n")}]}`).join(",\n") + "]");

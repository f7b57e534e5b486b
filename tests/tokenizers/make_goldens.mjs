// Makes goldens.json: small tokenizers of every kind, and what the reference (Rust tokenizers 0.22.2, which
// @anush008/tokenizers 0.6.0 on npm wraps) makes of random texts: ids, and their text again.
//   npm install --ignore-scripts @anush008/tokenizers@0.6.0 && node make_goldens.mjs > goldens.json
import { createRequire } from "module";
const { Tokenizer } = createRequire(import.meta.url)("@anush008/tokenizers");

let state = 1n;
function random(n) { // the same texts from every run
  state = (state * 6364136223846793005n + 1442695040888963407n) & 0xffffffffffffffffn;
  return Number((state >> 33n) % BigInt(n));
}

const PARTS = ["'s", " ", "  ", "\n", "\t", "a", "b", "ab", "abc", "the", "Word", "É", "é", "e\u0301", "ñ", "ß", "İ", "ﬁ", "½",
  "①", "漢", "字", "한", "각", "か", "が", "か\u3099", "<s>", "</s>", "<unk>", "[X]", "▁", "_", "23", "٣", ".", ",", "!", "😀",
  "\u200b", "\u00ad", "Å", "\u212b", "q\u0323\u0307", "q\u0307\u0323", "ǅ", "σ",
  "ΑΣ", "\r\n", "\u00a0", "\u3000", "\u0085", "\u000b", "\ufeff", "²", "👩‍👩‍👧", "ค่า", "<|im|>", "'LL", "$+", "…", "१२", "\u180e", "\u001b"];
const CHARS = [...new Set(PARTS.join(""))].filter((c) => !["😀", "字", "\u0300", "…", "१", "²"].includes(c));
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

function unigram(byte_fallback = false) {
  const vocab = [["<unk>", 0], ["<s>", 0], ["</s>", 0]], seen = new Set(["<unk>", "<s>", "</s>"]);
  if (byte_fallback) for (let b = 0; b < 256; b++) vocab.push([`<0x${b.toString(16).toUpperCase().padStart(2, "0")}>`, 0]);
  for (const piece of [...CHARS, "ab", "abc", "the", "▁the", "▁a", "▁ab", "▁abc", "Word", "▁Word", "rd", "▁W", "or", "23", "▁▁", "ba",
    "cab", "▁th", "he", "か\u3099"]) if (!seen.has(piece)) { seen.add(piece); vocab.push([piece, -(1 + random(8000) / 1000)]); }
  return { type: "Unigram", unk_id: 0, vocab, byte_fallback };
}

const added = (flags = {}) => ["<unk>", "<s>", "</s>"].map((content, id) => (
  { id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special: true, ...flags }));
const metaspace = (prepend_scheme) => ({ type: "Metaspace", replacement: "▁", prepend_scheme, split: false });
const sequence = (...normalizers) => ({ type: "Sequence", normalizers });
const LLAMA = sequence({ type: "Prepend", prepend: "▁" }, { type: "Replace", pattern: { String: " " }, content: "▁" });
const BYTE = (() => { // GPT-2's letters for bytes
  let next = 256;
  return Array.from({ length: 256 }, (_, b) => String.fromCodePoint((b > 32 && b < 127) || (b > 160 && b !== 173) ? b : next++));
})();
function byteLevel(more = {}) {
  const vocab = Object.fromEntries(BYTE.filter((_, b) => b !== 0x1b).map((c, id) => [c, id])), merges = [];
  const put = (t) => { vocab[t] ??= Object.keys(vocab).length; };
  for (const m of ["t h", "th e", "Ġ th", "Ġth e", "a b", "ab c", "Ġ Ġ", "W o", "Wo rd", "r d", "Ċ Ċ", "2 3", "' s", "Ã ©", "Ġ a", "ä »"]) {
    const pair = m.split(" ");
    if (!(pair[0] in vocab) || !(pair[1] in vocab)) continue;
    merges.push(pair);
    put(pair.join(""));
  }
  ["Word", "<s>", "the"].forEach(put);
  return { type: "BPE", unk_token: null, fuse_unk: false, byte_fallback: false, vocab, merges, ...more };
}
function affixes() {
  const vocab = {}, merges = [];
  const put = (t) => { vocab[t] ??= Object.keys(vocab).length; };
  ["<unk>", "<s>", "</s>"].forEach(put);
  for (const c of CHARS) for (const t of [c, "##" + c, c + "$", "##" + c + "$"]) put(t);
  for (const [a, b] of [["a", "##b"], ["t", "##h"], ["th", "##e$"], ["ab", "##c$"], ["a", "##b$"]]) {
    put(a + b.slice(2));
    merges.push([a, b]);
  }
  return { type: "BPE", unk_token: "<unk>", fuse_unk: false, byte_fallback: false, continuing_subword_prefix: "##",
    end_of_word_suffix: "$", vocab, merges };
}
const make = (model, normalizer, pre_tokenizer, added_tokens = added()) => (
  { version: "1.0", added_tokens, normalizer, pre_tokenizer, post_processor: null, decoder: null, model });
const bytes = bpe({ byte_fallback: true });
const models = { bytes, byteLevel: byteLevel(), plain: bpe({}), unigram: unigram() };
const split = (pattern, behavior, invert = false) => ({ type: "Split", pattern, behavior, invert });
const BYTES = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: false };
const steps = (...pretokenizers) => ({ type: "Sequence", pretokenizers });
const REST = "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
const PATTERNS = { // as published models have them
  "Llama 3": "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}" + REST,
  "Qwen 2": "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}" + REST,
  "DeepSeek 3": "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
  "Tekken": "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+|[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
  "Kimi": "[\\p{Han}]+|[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lo}\\p{M}&&[^\\p{Han}]]*[\\p{Ll}\\p{Lo}\\p{M}&&[^\\p{Han}]]+|\\p{N}{1,3}" + REST,
  "BLOOM": " ?[^(\\s|[.,!?…。，、।۔،])]+",
  "SuperBPE": "(?=(\\d{3})+(?!\\d))",
  "words": "\\w+|[^\\w\\s]+", "no words": "\\W+", "word ends": "\\b", "in a class": "[^\\S\\n]+|[\\w.]+",
};
const BEHAVIORS = ["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"];
const SPACES = [["  ", 1, 1], ["\n", 1, 1], [" ", 0, 1], ["\t", 1, 0]].map(([content, lstrip, rstrip], i) => (
  { id: Object.keys(models.byteLevel.vocab).length + i, content, single_word: false, lstrip: !!lstrip, rstrip: !!rstrip, normalized: i > 2,
    special: false }));
let free = Object.keys(bytes.vocab).length;
const FLAGS = ["the", "Word", "[X]", "<|im|>", "ab", "é"].map((content, i) => (
  { id: bytes.vocab[content] ?? free++, content, single_word: i % 2 === 0,
    lstrip: i % 3 === 0, rstrip: i % 3 === 1, normalized: i > 2, special: i < 3 })).sort((a, b) => a.id - b.id);
const fuse = (...decoders) => ({ type: "Sequence", decoders });
const LLAMA_DECODER = fuse({ type: "Replace", pattern: { String: "▁" }, content: " " }, { type: "ByteFallback" }, { type: "Fuse" },
  { type: "Strip", content: " ", start: 1, stop: 0 });

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
  "Unigram with byte fallback": make(unigram(true), null, { ...metaspace("always"), split: true }),
  "Metaspace that splits": make(bytes, null, { ...metaspace("first"), split: true }),
  "Metaspace with another letter": make(models.plain, null, { ...metaspace("always"), replacement: "_", split: true }),
  "Nmt": make(bytes, { type: "Nmt" }, metaspace("never")),
  "ByteLevel as a normalizer": make(models.byteLevel, { type: "ByteLevel" }, null, []),
  "Replace by words": make(bytes, { type: "Replace", pattern: { Regex: "\\w+" }, content: "ab" }, null),
  "Affixes": make(affixes(), null, { type: "Whitespace" }),
  "Bert": make(bytes, null, { type: "BertPreTokenizer" }),
  "WhitespaceSplit": make(bytes, null, { type: "WhitespaceSplit" }),
  "Digits together": make(bytes, null, { type: "Digits", individual_digits: false }),
  "Digits one by one": make(models.byteLevel, null, steps({ type: "Digits", individual_digits: true }, { ...BYTES, use_regex: true }), []),
  "CharDelimiterSplit": make(bytes, null, { type: "CharDelimiterSplit", delimiter: "a" }),
  "FixedLength": make(bytes, null, { type: "FixedLength", length: 3 }),
  "Prefix space": make(models.byteLevel, null, { ...BYTES, add_prefix_space: true, use_regex: true }, []),
  "Added tokens of spaces": make(models.byteLevel, null, { ...BYTES, use_regex: true }, SPACES),
  "Added tokens with all flags": make(bytes, { type: "Lowercase" }, metaspace("first"), FLAGS),
};
for (const behavior of BEHAVIORS) {
  tokenizers["Punctuation " + behavior] = make(bytes, null, { type: "Punctuation", behavior });
  for (const invert of [false, true])
    tokenizers[`Split ${behavior} ${invert}`] = make(bytes, null, split({ Regex: "\\s+|\\p{Lu}" }, behavior, invert));
  tokenizers["Split at a text " + behavior] = make(bytes, null, split({ String: "ab" }, behavior));
}
for (const [name, pattern] of Object.entries(PATTERNS))
  tokenizers[name] = make(models.byteLevel, null, steps(split({ Regex: pattern }, "Isolated"), BYTES), []);
for (const tokenizer of Object.values(tokenizers))
  tokenizer.decoder = tokenizer.model === models.byteLevel ? { ...BYTES } : tokenizer.model === bytes ? LLAMA_DECODER
    : { type: "Metaspace", replacement: "▁", prepend_scheme: "always", split: true };


// An added token is looked for as the normalizer writes it, and nowhere else.
const ALONE = ["<s></s>", "</s></s>", "a</s>", "<s>a"];
const goldens = [];
for (const [name, tokenizer] of Object.entries(tokenizers)) {
  const reference = Tokenizer.fromString(JSON.stringify(tokenizer)), cases = [];
  const model = Object.keys(models).find((key) => models[key] === tokenizer.model);
  const inputs = Array.from({ length: 40 }, text);
  if (tokenizer.added_tokens.some((token) => token.special && token.normalized)) inputs.push(...ALONE);
  for (const input of inputs) {
    const ids = (await reference.encode(input, null, { addSpecialTokens: false })).getIds();
    cases.push([input, ids, await reference.decode(ids, false)]);
  }
  goldens.push({ name, tokenizer: model ? { ...tokenizer, model } : tokenizer, cases });
}
// One tokenizer or case a line, so that a change can be read. A model that several have stands in front.
const list = goldens.map(({ name, tokenizer, cases }) => `{"name":${JSON.stringify(name)},\n"tokenizer":${JSON.stringify(tokenizer)},\n` +
  `"cases":[\n${cases.map((c) => JSON.stringify(c)).join(",\n")}]}`);
console.log(`{"models":{\n${Object.entries(models).map(([key, m]) => `"${key}":${JSON.stringify(m)}`).join(",\n")}},\n"kinds":[${list.join(",\n")}]}`);

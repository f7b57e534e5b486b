// What llama.cpp makes of a GGUF file, through the npm package node-llama-cpp:
//   node gguf_llama.mjs PACKAGES MODEL.gguf TEXT_FILE N OUT
// OUT.ids: the text's ids, without special ones, as JSON; OUT.probs: f32 [N][vocabulary], each row's probabilities.
// Before that the file is parsed by a second reader, @huggingface/gguf.
import { createRequire } from "node:module";
import { readFileSync, writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [packages, path, text_path, count, out] = process.argv.slice(2);
const require = createRequire(packages + "/");
const load = name => import(pathToFileURL(require.resolve(name)).href);
const { gguf } = await load("@huggingface/gguf");
const parsed = await gguf(path, { allowLocalFile: true });
if (!parsed.tensorInfos.length) throw new Error("no tensors");

const { getLlama, LlamaLogLevel } = await import(pathToFileURL(packages + "/node_modules/node-llama-cpp/dist/index.js").href);
const llama = await getLlama({ gpu: false, build: "never", logLevel: LlamaLogLevel.error, skipDownload: true });
const model = await llama.loadModel({ modelPath: path, gpuLayers: 0 });
let ids = Array.from(model.tokenize(readFileSync(text_path, "utf8"), false));
writeFileSync(out + ".ids", JSON.stringify(ids));
ids = ids.slice(0, Number(count));
const context = await model.createContext({ contextSize: ids.length + 8, sequences: 1, flashAttention: false });
const options = { temperature: 1, topK: 0, topP: 1, minP: 0 };
const result = await context.getSequence().controlledEvaluate(
	ids.map(id => [id, { generateNext: { probabilities: true, options } }]));
let vocabulary = 0;
for (const r of result) for (const id of r.next.probabilities.keys()) vocabulary = Math.max(vocabulary, id + 1);
const data = new Float32Array(ids.length * vocabulary);
result.forEach((r, i) => { for (const [id, p] of r.next.probabilities) data[i * vocabulary + id] = p; });
writeFileSync(out + ".probs", Buffer.from(data.buffer));
process.exit(0);

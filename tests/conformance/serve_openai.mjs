// npm's openai against mote-serve: serve_openai.mjs URL
import OpenAI from "openai";

const url = process.argv[2];
const client = new OpenAI({ baseURL: url + "/v1", apiKey: "none", maxRetries: 0 });
let passed = 0, failed = 0;
function check(name, good, ...show) {
	if (good) passed++;
	else { failed++; console.log("FAILED:", name, ...show.map((x) => JSON.stringify(x))); }
}
const messages = [{ role: "user", content: "What is 27 + 48?" }], model = "adder", greedy = { model, messages, temperature: 0 };
async function thrown(f) { try { await f(); } catch (e) { return e; } return null; }

check("models", (await client.models.list()).data[0].id === "adder");
const r = await client.chat.completions.create({ ...greedy, logprobs: true, top_logprobs: 3, n: 2, seed: 1, max_completion_tokens: 300 });
check("chat", r.choices.length === 2 && r.choices.every((c) => c.message.content === "27 + 48 = 75." && c.finish_reason === "stop"), r);
check("reasoning", r.choices[0].message.reasoning_content.startsWith("Add 27 and 48."));
check("logprobs", r.choices[0].logprobs.content.every((t) => t.logprob <= 0 && t.top_logprobs.length === 3));
check("usage", r.usage.total_tokens === r.usage.prompt_tokens + r.usage.completion_tokens, r.usage);

let text = "", thought = "", usage = null, reason = null;
const stream = await client.chat.completions.create({ ...greedy, stream: true, stream_options: { include_usage: true } });
for await (const chunk of stream) {
	if (chunk.usage) usage = chunk.usage;
	for (const c of chunk.choices) {
		text += c.delta.content || "";
		thought += c.delta.reasoning_content || "";
		reason = c.finish_reason || reason;
	}
}
check("stream", text === "27 + 48 = 75." && thought.startsWith("Add") && reason === "stop" && usage.completion_tokens > 50, text, usage);
const runner = client.chat.completions.stream(greedy);
let deltas = "";
runner.on("content", (delta) => { deltas += delta; });
const final = await runner.finalChatCompletion();
check("stream helper", final.choices[0].message.content === "27 + 48 = 75." && deltas === "27 + 48 = 75.", final);

const set = await client.chat.completions.create({ ...greedy, stop: ["= 7"], presence_penalty: 0.1, frequency_penalty: 0.1, top_p: 0.9,
	logit_bias: { 5: -100 }, max_tokens: 200, user: "u", tool_choice: "auto",
	tools: [{ type: "function", function: { name: "add", parameters: { type: "object", properties: {} } } }], response_format: { type: "text" } });
check("settings", set.choices[0].finish_reason === "stop" && set.choices[0].message.content === "27 + 48 " &&
	set.choices[0].message.reasoning_content.includes("= 7, write"), set);

const c = await client.completions.create({ model, prompt: ["7 + 8 =", "1 + 1 ="], max_tokens: 3, temperature: 0, echo: true, logprobs: 2 });
check("completions", c.choices.length === 2 && c.choices[0].text.startsWith("7 + 8 =") && c.choices[0].logprobs.token_logprobs[0] === null, c);
const e = await client.embeddings.create({ model, input: ["one", "two"] });
check("embeddings", e.data.length === 2 && e.data[0].embedding.length === 128 && Math.abs(e.data[0].embedding.reduce((s, x) => s + x * x, 0) - 1) < 1e-4);
const o = await client.responses.create({ model, input: "What is 27 + 48?", temperature: 0 });
check("responses", o.output_text === "27 + 48 = 75." && o.status === "completed", o);
let seen = "";
for await (const event of await client.responses.create({ model, input: messages, temperature: 0, stream: true }))
	if (event.type === "response.output_text.delta") seen += event.delta;
check("responses streamed", seen === "27 + 48 = 75.", seen);

const bad = await thrown(() => client.chat.completions.create({ ...greedy, temperature: -1 }));
check("BadRequestError", bad instanceof OpenAI.BadRequestError && bad.param === "temperature" && bad.type === "invalid_request_error", bad);
const shape = { type: "object", properties: { sum: { type: "integer", minimum: 10, maximum: 99 }, sure: { type: "boolean" } },
	required: ["sum", "sure"], additionalProperties: false };
const format = { type: "json_schema", json_schema: { name: "sum", strict: true, schema: shape } };
for (let seed = 0; seed < 5; seed++) {
	const shaped = await client.chat.completions.create({ ...greedy, temperature: 1.5, seed, response_format: format });
	const value = JSON.parse(shaped.choices[0].message.content);
	check("json_schema", value.sum >= 10 && value.sum <= 99 && typeof value.sure === "boolean" && Object.keys(value).length === 2, shaped);
}
const parsed = await client.chat.completions.parse({ ...greedy, response_format: format });
check("parse", Number.isInteger(parsed.choices[0].message.parsed.sum), parsed);
const tools = [{ type: "function", function: { name: "add", parameters: shape } }];
for (const tool_choice of ["required", { type: "function", function: { name: "add" } }]) {
	const called = await client.chat.completions.create({ ...greedy, tools, tool_choice, parallel_tool_calls: false });
	const call = called.choices[0].message.tool_calls[0];
	check("tool_choice", call.function.name === "add" && JSON.parse(call.function.arguments).sum >= 10, called);
}
const silent = await client.chat.completions.create({ ...greedy, tools, tool_choice: "none" });
check("tool_choice none", silent.choices[0].message.content === "27 + 48 = 75.", silent);
const object = await client.responses.create({ model, input: "What is 27 + 48?", temperature: 0, text: { format: { type: "json_schema",
	name: "sum", schema: shape } } });
check("responses of a schema", JSON.parse(object.output_text).sum >= 10, object);
const wrong = await thrown(() => client.chat.completions.create({ ...greedy, tools, tool_choice: { type: "function", function: { name: "sub" } } }));
check("no such tool", wrong instanceof OpenAI.BadRequestError && wrong.param === "tools", wrong);
const schema = await thrown(() => client.chat.completions.create({ ...greedy, response_format: { type: "json_schema", json_schema: {
	name: "s", schema: { type: "object", properties: { a: { not: {} } } } } } }));
check("refused by name", schema instanceof OpenAI.BadRequestError && schema.param === "response_format" && schema.code === "unsupported", schema);
check("NotFoundError", await thrown(() => client.get("/nothing")) instanceof OpenAI.NotFoundError);
const long = await thrown(() => client.chat.completions.create({ ...greedy, messages: [{ role: "user", content: "1 + 1 ".repeat(500) }] }));
check("context_length_exceeded", long instanceof OpenAI.BadRequestError && long.code === "context_length_exceeded", long);

const controller = new AbortController();
const cut = await client.chat.completions.create({ ...greedy, stream: true, ignore_eos: true }, { signal: controller.signal });
let n = 0;
for await (const chunk of cut) if (chunk.choices.length && ++n === 5) controller.abort();
check("abort", n >= 5 && controller.signal.aborted);
let gone = null; // a fast machine has the whole answer within 20 ms
for (let ms = 20; !gone && ms >= 0; ms = ms > 4 ? ms >> 1 : ms - 1)
	gone = await thrown(() => client.chat.completions.create({ ...greedy, ignore_eos: true }, { signal: AbortSignal.timeout(ms) }));
check("abort of a whole answer", gone instanceof OpenAI.APIUserAbortError, gone);
let busy = true;
for (let i = 0; i < 200 && busy; i++) {
	busy = (await (await fetch(url + "/slots")).json()).some((s) => s.is_processing);
	if (busy) await new Promise((done) => setTimeout(done, 20));
}
check("places are free again", !busy);
const many = await Promise.all([...Array(8).keys()].map(() => client.chat.completions.create(greedy)));
check("eight at once", many.every((x) => x.choices[0].message.content === "27 + 48 = 75."));
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);

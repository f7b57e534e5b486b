// npm's @anthropic-ai/sdk against mote-serve: serve_anthropic.mjs URL
import Anthropic from "@anthropic-ai/sdk";

const client = new Anthropic({ baseURL: process.argv[2], apiKey: "none", maxRetries: 0 });
let passed = 0, failed = 0;
function check(name, good, ...show) {
	if (good) passed++;
	else { failed++; console.log("FAILED:", name, ...show.map((x) => JSON.stringify(x))); }
}
const ask = { model: "adder", max_tokens: 300, temperature: 0, messages: [{ role: "user", content: "What is 27 + 48?" }] };

const m = await client.messages.create(ask);
check("message", m.content.at(-1).text === "27 + 48 = 75." && m.stop_reason === "end_turn" && m.usage.output_tokens > 50, m);
check("thinking", m.content[0].type === "thinking" && m.content[0].thinking.startsWith("Add 27 and 48."), m);
const stream = client.messages.stream(ask);
let text = "", thought = "";
stream.on("text", (delta) => { text += delta; }).on("thinking", (delta) => { thought += delta; });
const final = await stream.finalMessage();
check("stream", text === "27 + 48 = 75." && final.content.at(-1).text === text && final.stop_reason === "end_turn", final);
check("stream of the thought", thought.startsWith("Add 27") && final.content[0].thinking === thought, thought);
const cut = await client.messages.create({ ...ask, max_tokens: 5 });
check("max_tokens", cut.stop_reason === "max_tokens" && cut.usage.output_tokens === 5, cut);
const stopped = await client.messages.create({ ...ask, stop_sequences: ["= 7"] });
check("stop_sequence", stopped.stop_reason === "stop_sequence" && stopped.stop_sequence === "= 7" &&
	stopped.content[0].thinking.includes("= 7, write") && stopped.content.at(-1).text === "27 + 48 ", stopped);
const blocks = await client.messages.create({ ...ask, messages: [{ role: "user", content: [{ type: "text", text: "What is 27 + 48?" }] }],
	system: [{ type: "text", text: "You are Mote, a small model that calculates. Work step by step inside <think> and </think>, then answer in one sentence." }] });
check("blocks", blocks.content.at(-1).text === "27 + 48 = 75.", blocks);
const prefill = client.messages.stream({ ...ask, max_tokens: 20, messages: [...ask.messages, { role: "assistant", content: "27 + 48 =" }] });
const more = (await prefill.finalMessage()).content;
check("an answer that has begun", more.length === 1 && more[0].type === "text" && more[0].text.startsWith(" "), more);
const count = await client.messages.countTokens({ model: ask.model, messages: ask.messages });
check("count_tokens", count.input_tokens === m.usage.input_tokens, count, m.usage);
try {
	await client.messages.create({ ...ask, top_p: 2 });
	check("refused", false);
} catch (e) {
	check("BadRequestError", e instanceof Anthropic.BadRequestError && e.error.error.type === "invalid_request_error", e);
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);

// A C++ program on the installed header: the whole interface compiles as C++, a conversation streams, an answer is
// cancelled by another thread, errors arrive.
#include <mote.h>

#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace {

template <auto Close> struct closer {
	template <class T> void operator()(T *p) const { Close(p); }
};
using model = std::unique_ptr<mote_lm, closer<mote_lm_close>>;
using session = std::unique_ptr<mote_lm_session, closer<mote_lm_session_close>>;
using answer = std::unique_ptr<mote_lm_answer, closer<mote_lm_answer_close>>;

int failed = 0;

void check(bool good, const char *what)
{
	if (!good) {
		std::printf("failed: %s\n", what);
		failed++;
	}
}

std::vector<int32_t> encode(const mote_lm *lm, const char *messages)
{
	mote_lm_chat chat = MOTE_LM_CHAT_INIT;
	int32_t *ids = nullptr;
	size_t n = 0;

	chat.messages = messages;
	check(mote_lm_encode_chat(lm, &chat, &ids, &n, nullptr, nullptr) == MOTE_LM_OK, "a conversation is encoded");
	std::vector<int32_t> list(ids, ids + n);
	mote_lm_free(ids);
	return list;
}

} // namespace

int main(int argc, char **argv)
{
	mote_lm_error error = {0, ""};
	mote_lm *raw = nullptr;

	if (argc != 2)
		return 2;
	check(!std::strcmp(mote_version(), MOTE_VERSION), "header and library are of one version");
	check(mote_lm_open("/nonexistent.mote", nullptr, &raw, &error) == MOTE_LM_IO && !raw && error.status == MOTE_LM_IO &&
	      std::strstr(error.message, "nonexistent"), "a missing file is named");
	if (mote_lm_open(argv[1], nullptr, &raw, &error)) {
		std::printf("%s\n", error.message);
		return 1;
	}
	model lm(raw);
	mote_lm_info info;
	mote_lm_describe(lm.get(), &info);
	check(info.vocab > 0 && info.chat == 1 && info.reasons == 1, "the model is described");

	mote_lm_session_options options = MOTE_LM_SESSION_OPTIONS_INIT;
	options.threads = 1;
	options.sequences = 2;
	mote_lm_session *s = nullptr;
	options.kv_keys = "f17";
	check(mote_lm_session_open(lm.get(), &options, &s, &error) == MOTE_LM_ARGUMENT && !s &&
	      std::strstr(error.message, "'f17': expected f16, q8 or f32"), "an unknown type of keys is named");
	options.kv_keys = "f32";
	{
		mote_lm_session_options most = options;
		mote_lm_session_info size;
		mote_lm_session *many = nullptr;
		most.sequences = 1000; // more than the usual tokens of a pass
		most.context_tokens = 4;
		most.prompt_rows = UINT32_MAX;
		check(mote_lm_session_open(lm.get(), &most, &many, &error) == 0, error.message);
		session closes(many);
		mote_lm_session_describe(many, &size);
		check(size.sequences == 1000, "a session of many sequences");
	}
	check(mote_lm_session_open(lm.get(), &options, &s, &error) == 0, error.message);
	session open(s);

	// what the fixture's generation_config.json leaves open has no effect
	mote_lm_sampling usual;
	mote_lm_sampling_recommended(lm.get(), &usual);
	check(usual.struct_bytes == sizeof usual && usual.typical_p == 1 && usual.repeat_penalty == 1 && usual.min_p == 0 &&
	      usual.presence_penalty == 0 && usual.dry_multiplier == 0, "recommended sampling");

	// two answers side by side
	mote_lm_sampling greedy;
	std::memset(&greedy, 0, sizeof greedy);
	greedy.struct_bytes = sizeof greedy;
	std::vector<int32_t> prompts[2] = {encode(lm.get(), "[{\"role\": \"user\", \"content\": \"What is 478 + 256?\"}]"),
					   encode(lm.get(), "[{\"role\": \"user\", \"content\": \"What is 1 + 2?\"}]")};
	std::string text[2], reasoning[2];
	answer answers[2];
	{
		mote_lm_answer_options o = MOTE_LM_ANSWER_OPTIONS_INIT;
		mote_lm_sampling wrong = greedy;
		mote_lm_answer *a = nullptr;
		o.stops = 1;
		check(mote_lm_answer_open(open.get(), &o, &a, &error) == MOTE_LM_ARGUMENT && !a, "no stop texts are refused");
		o.stops = 0;
		wrong.biases = 1;
		o.sampling = &wrong;
		o.prompt_tokens = 0;
		check(mote_lm_answer_open(open.get(), &o, &a, &error) == MOTE_LM_ARGUMENT && !a &&
		      std::strstr(error.message, "biases"), "no biases are refused");
		wrong.biases = 0;
		wrong.dry_multiplier = 1;
		wrong.dry_base = -2;
		o.prompt = prompts[0].data();
		o.prompt_tokens = prompts[0].size();
		o.sampling = &wrong;
		check(mote_lm_answer_open(open.get(), &o, &a, &error) == MOTE_LM_ARGUMENT && !a &&
		      std::strstr(error.message, "DRY base -2; expected 1 to 100"), "a base out of range is refused");
	}
	for (int i = 0; i < 2; i++) {
		mote_lm_answer_options o = MOTE_LM_ANSWER_OPTIONS_INIT;
		mote_lm_answer *a = nullptr;
		o.prompt = prompts[i].data();
		o.prompt_tokens = prompts[i].size();
		o.sampling = &greedy;
		check(mote_lm_answer_open(open.get(), &o, &a, &error) == 0, error.message);
		answers[i].reset(a);
	}
	for (int i = 0; i < 2; i++) {
		mote_lm_event e;
		int status;
		while ((status = mote_lm_answer_next(answers[i].get(), &e, &error)) == 0 && e.kind != MOTE_LM_EVENT_END)
			(e.kind == MOTE_LM_EVENT_TEXT ? text : reasoning)[i].append(e.text, e.bytes);
		check(status == 0 && e.finish == MOTE_LM_FINISH_STOP, "an answer ends");
	}
	check(text[0] == "478 + 256 = 734.", text[0].c_str());
	check(text[1] == "1 + 2 = 3.", text[1].c_str());
	check(reasoning[0].find("carry") != std::string::npos, "the thought comes apart");

	// what was given to open an answer need not last
	mote_lm_answer_options o = MOTE_LM_ANSWER_OPTIONS_INIT;
	mote_lm_answer *a = nullptr;
	mote_lm_event e;
	answers[0].reset();
	{
		std::vector<int32_t> prompt = prompts[0], stop = {mote_lm_token_id(lm.get(), "</think>", 8)};
		o.prompt = prompt.data();
		o.prompt_tokens = prompt.size();
		o.sampling = &greedy;
		o.stop_ids = stop.data();
		o.n_stop_ids = 1;
		check(mote_lm_answer_open(open.get(), &o, &a, &error) == 0, error.message);
		answers[0].reset(a);
		prompt[0] = stop[0] = -1;
	}
	while (mote_lm_answer_next(a, &e, &error) == 0 && e.kind == MOTE_LM_EVENT_REASONING)
		;
	check(e.kind == MOTE_LM_EVENT_END && e.finish == MOTE_LM_FINISH_STOP, "an id ends the answer");

	// cancelled from another thread
	o = MOTE_LM_ANSWER_OPTIONS_INIT;
	answers[0].reset();
	o.prompt = prompts[0].data();
	o.prompt_tokens = prompts[0].size();
	o.ignore_end = 1;
	check(mote_lm_answer_open(open.get(), &o, &a, &error) == 0, error.message);
	answers[0].reset(a);
	std::thread other([a] { mote_lm_answer_cancel(a); });
	while (mote_lm_answer_next(a, &e, &error) == 0 && e.kind != MOTE_LM_EVENT_END)
		;
	other.join();
	check(e.kind == MOTE_LM_EVENT_END &&
	      (e.finish == MOTE_LM_FINISH_CANCELLED || e.finish == MOTE_LM_FINISH_LENGTH), "a cancelled answer ends");

	// cancelled before its first token, and only the other answer is read
	mote_lm_answer *both[2] = {nullptr, nullptr};
	mote_lm_answer_info of_first;
	answers[0].reset();
	for (int i = 0; i < 2; i++) {
		check(mote_lm_answer_open(open.get(), &o, &both[i], &error) == 0, error.message);
		answers[i].reset(both[i]);
	}
	mote_lm_answer_cancel(both[0]);
	while (mote_lm_answer_next(both[1], &e, &error) == 0 && e.kind != MOTE_LM_EVENT_END)
		;
	mote_lm_answer_describe(both[0], &of_first);
	check(of_first.tokens == 0, "no token comes after the cancellation");
	check(mote_lm_answer_next(both[0], &e, &error) == 0 && e.kind == MOTE_LM_EVENT_END &&
	      e.finish == MOTE_LM_FINISH_CANCELLED, "and it says so");
	std::printf("%d passed, %d failed\n", failed ? 0 : 1, failed);
	return failed != 0;
}

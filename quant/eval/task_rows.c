/* The seven benchmarks as rows of data, and MMLU's second variant. Prompts, answers' patterns and limits are those of
 * EleutherAI's lm-evaluation-harness, so that scores compare. */
#include <string.h>

#include "quant/eval/task.h"

static const struct mote_task_row rows[] = {
	{.name = "arc_challenge", .id = "{id}", .context = "Question: {question.stem}\nAnswer:",
	 .choices = "question.choices[].text", .gold = "{answerKey}", .gold_names = "question.choices[].label"},
	{.name = "piqa", .labels = "valid-labels.lst", .context = "Question: {goal}\nAnswer:",
	 .choice = {"{sol1}", "{sol2}"}, .gold = "{label}", .gold_name = {"0", "1"}},
	{.name = "boolq", .context = "{passage}\nQuestion: {question}?\nAnswer:", .choice = {"no", "yes"},
	 .gold = "{label}", .gold_name = {"false", "true"}},
	{.name = "mmlu", .layout = MOTE_LAYOUT_TABLES, .columns = "question A B C D answer", .shots = "dev",
	 .group = "{subject}", .description = "The following are multiple choice questions (with answers) about "
	 "{subject}.\n\n", .context = "{question|strip}\nA. {A}\nB. {B}\nC. {C}\nD. {D}\nAnswer:",
	 .choice = {"A", "B", "C", "D"}, .gold = "{answer}", .gold_name = {"A", "B", "C", "D"}},
	{.name = "mmlu_continuation", .layout = MOTE_LAYOUT_TABLES, .columns = "question A B C D answer",
	 .shots = "dev", .group = "{subject}", .description = "The following are questions (with answers) about "
	 "{subject}.\n\n", .context = "Question: {question|strip}\nAnswer:", .choice = {"{A}", "{B}", "{C}", "{D}"},
	 .gold = "{answer}", .gold_name = {"A", "B", "C", "D"}},
	{.name = "gsm8k", .kind = MOTE_TASK_ANSWER, .context = "Question: {question}\nAnswer:", .gold = "{answer}",
	 .few = 5, .until = {"Question:", "</s>", "<|im_end|>"}, .most_tokens = 256,
	 .filter = {{.name = "strict", .stripped = "strict_stripped", .pattern = "#### (\\-?[0-9\\.\\,]+)"},
		    {.name = "flexible", .stripped = "flexible_stripped", .pattern = "(-?[$0-9.,]{2,})|(-?[0-9]+)",
		     .last = true}},
	 .ignore = {",", "\\$", "(?s).*#### ", "\\.$"}, .ignore_case = true},
	{.name = "bbh", .kind = MOTE_TASK_ANSWER, .layout = MOTE_LAYOUT_BBH, .group = "{subject}",
	 .context = "{prompt}\n\nQ: {input}\nA: Let's think step by step.\n", .gold = "{target}",
	 .until = {"</s>", "Q", "\n\n"}, .most_tokens = 1024,
	 .filter = {{.name = "strict", .stripped = "strict_stripped", .pattern = "(?<=the answer is )(.*)(?=.)"}}},
	{.name = "ifeval", .kind = MOTE_TASK_INSTRUCTIONS, .id = "{key}", .context = "{prompt}", .most_tokens = 1280},
};

const struct mote_task_row *mote_task_row_at(uint32_t i)
{
	return i < sizeof rows / sizeof *rows ? &rows[i] : NULL;
}

const struct mote_task_row *mote_task_row_find(const char *name)
{
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (strcmp(rows[i].name, name) == 0)
			return &rows[i];
	return NULL;
}

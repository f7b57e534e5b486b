/* Losses at the head: see losses.h and passes.h. Logits are as wide as the vocabulary, so they are made for some rows
 * at once only, and never kept.
 */
#include "quant/train/losses.h"

#include <string.h>

#include "runtime/kernels/exact.h"

enum { LANES = 8 };

/* ---- one row ---- */

static double sum_lanes(const double a[LANES])
{
	return ((a[0] + a[4]) + (a[2] + a[6])) + ((a[1] + a[5]) + (a[3] + a[7]));
}

double mote_loss_kl_row(const struct mote_kernels *k, float *logits, float *reference, float *difference,
			uint32_t vocab, float weight)
{
	double lane[LANES] = {0};
	float most_q, most_p, sum_q, sum_p, one_p, one_q;

	for (uint32_t i = 0; i < vocab; i++)
		difference[i] = reference[i] - logits[i];
	sum_q = k->softmax(logits, vocab, 1, &most_q);
	sum_p = k->softmax(reference, vocab, 1, &most_p);
	for (uint32_t i = 0; i < vocab; i++)
		lane[i % LANES] += (double)reference[i] * (double)difference[i];
	one_q = 1 / sum_q;
	one_p = 1 / sum_p;
	for (uint32_t i = 0; i < vocab; i++)
		logits[i] = (logits[i] * one_q - reference[i] * one_p) * weight;
	return sum_lanes(lane) / (double)sum_p + ((double)most_q + mote_exact_log((double)sum_q)) -
	       ((double)most_p + mote_exact_log((double)sum_p));
}

double mote_loss_target_row(const struct mote_kernels *k, enum mote_loss_kind kind, float *logits, uint32_t vocab,
			    int32_t target, float weight)
{
	double value = (double)logits[target], nll;
	float most, sum = k->softmax(logits, vocab, 1, &most), q = logits[target] / sum;

	nll = (double)most + mote_exact_log((double)sum) - value;
	if (kind == MOTE_LOSS_DFT)
		weight *= q;
	mote_vector_scale(logits, vocab, weight / sum);
	logits[target] = (q - 1) * weight;
	return kind == MOTE_LOSS_DFT ? (double)q * nll : nll;
}

/* ---- all rows ---- */

/* Some rows of a batch, gathered. */
struct portion {
	const struct mote_loss *loss;
	uint32_t row[MOTE_LOSS_ROWS], n;
};

static void row_loss(struct mote_passes *p, const void *job, uint32_t index, float *scratch)
{
	const struct portion *j = job;
	const struct mote_loss *loss = j->loss;
	uint32_t row = j->row[index], vocab = p->config->vocab;
	float *logits = p->logits + (size_t)index * vocab;

	if (loss->kind == MOTE_LOSS_KL)
		loss->value[row] = mote_loss_kl_row(&p->kernels, logits, p->reference_logits + (size_t)index * vocab,
						    scratch, vocab, loss->weight[row]);
	else
		loss->value[row] = mote_loss_target_row(&p->kernels, loss->kind, logits, vocab, loss->target[row],
							loss->weight[row]);
}

/* logits = head * rows of states that lie at index i or at row[i] */
static void project(struct mote_passes *p, const float *states, const float *head, uint32_t n, float *logits)
{
	const struct mote_config *c = p->config;

	mote_passes_product(p, &(struct mote_gemm){.a = states, .a_row = c->hidden, .a_col = 1, .b = head, .b_row = 1,
						   .b_col = c->hidden, .c = logits, .c_row = c->vocab, .m = n,
						   .n = c->vocab, .depth = c->hidden});
}

static void gather(struct mote_passes *p, const struct portion *j, const float *states, float *out)
{
	size_t hidden = p->config->hidden;

	for (uint32_t i = 0; i < j->n; i++)
		memcpy(out + i * hidden, states + j->row[i] * hidden, hidden * sizeof *out);
}

/* d_hidden and the head's gradient from the logits'. */
static void head_back(struct mote_passes *p, const struct mote_parameter *head, const struct portion *j)
{
	uint32_t rows = p->rows;
	size_t hidden = p->config->hidden;

	p->rows = j->n;
	mote_passes_multiply_back(p, p->logits, p->gathered, head, p->d_gathered, false);
	p->rows = rows;
	for (uint32_t i = 0; i < j->n; i++)
		memcpy(p->d_hidden + j->row[i] * hidden, p->d_gathered + i * hidden, hidden * sizeof(float));
}

static void run_portion(struct mote_passes *p, const struct mote_parameters *w, const struct portion *j)
{
	const struct mote_loss *loss = j->loss;

	if (loss->kind == MOTE_LOSS_KL) {
		gather(p, j, loss->reference, p->gathered);
		project(p, p->gathered, loss->reference_head, j->n, p->reference_logits);
	}
	gather(p, j, p->hidden, p->gathered);
	project(p, p->gathered, w->head->w, j->n, p->logits);
	mote_passes_each(p, j->n, row_loss, j);
	if (loss->gradient)
		head_back(p, w->head, j);
}

void mote_passes_loss(struct mote_passes *p, const struct mote_parameters *w, const struct mote_loss *loss)
{
	struct portion j = {.loss = loss};

	if (loss->gradient)
		memset(p->d_hidden, 0, (size_t)p->rows * p->config->hidden * sizeof *p->d_hidden);
	for (uint32_t r = 0; r < p->rows; r++) {
		loss->value[r] = 0;
		if (loss->weight[r] > 0 || loss->weight[r] < 0)
			j.row[j.n++] = r;
		if (j.n == p->loss_rows || (j.n && r + 1 == p->rows)) {
			run_portion(p, w, &j);
			j.n = 0;
		}
	}
}

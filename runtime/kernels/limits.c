/* Machine limits: see limits.h. */
#include "runtime/kernels/limits.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#include "format/clock.h"
#include "format/portable.h"
#include "runtime/kernels/tables.h"

enum { LINE = 64, MOST_REPEATS = 64 };
#define HUGE_PAGE ((size_t)2 << 20)

/* ---- memory ---- */

typedef uint64_t lane __attribute__((vector_size(16)));

struct stream_job {
	const uint8_t *data;
	size_t bytes;
	_Alignas(LINE) lane sum[MOTE_MAX_THREADS][LINE / 16];
};

/* One thread's part in so many streams side by side, prefetched so many bytes ahead (0: not) into the first-level cache
 * (locality 3) or the second (2). A line is four registers that every machine has: with one wide sum, which compilers
 * keep in memory where registers are narrower, the stores were the limit. */
static inline __attribute__((always_inline)) void read_streams(struct stream_job *job, uint32_t thread,
							       uint32_t threads, const size_t streams,
							       const size_t ahead, const int locality)
{
	size_t part = job->bytes / threads / streams / LINE * LINE;
	const uint8_t *base = job->data + (size_t)thread * part * streams;
	lane a = {0}, b = {0}, c = {0}, d = {0};

	for (size_t i = 0; i < part; i += LINE)
		UNROLL for (size_t s = 0; s < streams; s++) {
			const uint8_t *at = base + s * part + i;
			const lane *line = (const lane *)(const void *)at;

			if (ahead && locality == 3)
				__builtin_prefetch(at + ahead, 0, 3);
			else if (ahead)
				__builtin_prefetch(at + ahead, 0, 2);
			a ^= line[0];
			b ^= line[1];
			c ^= line[2];
			d ^= line[3];
		}
	job->sum[thread][0] = a ^ b ^ c ^ d;
}

static void stream_near(void *user, uint32_t thread, uint32_t threads)
{
	read_streams(user, thread, threads, 4, 1024, 3);
}

static void stream_far(void *user, uint32_t thread, uint32_t threads)
{
	read_streams(user, thread, threads, 4, 2048, 2);
}

static void stream_plain(void *user, uint32_t thread, uint32_t threads)
{
	read_streams(user, thread, threads, 1, 0, 0);
}

/* Which is fastest depends on the machine and on how many threads read. */
static mote_pool_fn *const ways[] = {stream_near, stream_far, stream_plain};

enum { WAYS = sizeof ways / sizeof *ways };

static int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

enum mote_status mote_limits_bandwidth(struct mote_pool *p, size_t bytes, bool huge_pages, unsigned repeats,
				       double *bytes_per_second, struct mote_error *error)
{
	struct stream_job *job = aligned_alloc(LINE, sizeof *job);
	size_t mapped = bytes + HUGE_PAGE;
	uint8_t *map = mote_portable_map(mapped);
	uint8_t *data;
	volatile uint64_t sink = 0;
	double rate[MOST_REPEATS];

	*bytes_per_second = 0;
	if (!map || !job) {
		free(job);
		if (map)
			munmap(map, mapped);
		return mote_error_set(error, MOTE_ERROR_MEMORY, "bandwidth buffer: cannot map %zu bytes", mapped);
	}
	data = (uint8_t *)(((uintptr_t)map + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE);
	mote_portable_huge_pages(data, bytes, huge_pages);
	memset(data, 1, bytes);
	*job = (struct stream_job){.data = data, .bytes = bytes};
	repeats = repeats < 1 ? 1 : repeats > MOST_REPEATS ? MOST_REPEATS : repeats;
	for (int way = 0; way < WAYS; way++) {
		for (unsigned i = 0; i < repeats; i++) {
			double begin = mote_clock_seconds();

			mote_pool_run(p, ways[way], job);
			rate[i] = (double)bytes / (mote_clock_seconds() - begin);
			sink = sink + job->sum[0][0][0];
		}
		qsort(rate, repeats, sizeof *rate, compare_doubles);
		if (rate[repeats / 2] > *bytes_per_second)
			*bytes_per_second = rate[repeats / 2];
	}
	free(job);
	munmap(map, mapped);
	return MOTE_OK;
}

/* ---- arithmetic: independent chains, enough to hide the latency ---- */

enum { ROUNDS = 400000 };

#if defined(__x86_64__)

/* The empty asm makes the compiler keep every operation. */
#define KEEP(v) __asm__ volatile("" : "+v"(v))
#define KEEP_YMM(v) __asm__ volatile("" : "+x"(v))

__attribute__((target("avx512f,avx512bw,avx512vnni"))) static double int8_avx512(void)
{
	__m512i acc[12], a = _mm512_set1_epi8(3), b = _mm512_set1_epi8(5);

	UNROLL for (int j = 0; j < 12; j++)
		acc[j] = _mm512_setzero_si512();
	for (int i = 0; i < ROUNDS; i++)
		UNROLL for (int j = 0; j < 12; j++) {
			acc[j] = _mm512_dpbusd_epi32(acc[j], a, b);
			KEEP(acc[j]);
		}
	return 12.0 * 64 * 2 * ROUNDS;
}

__attribute__((target("avx512f"))) static double f32_avx512(void)
{
	__m512 acc[12], a = _mm512_set1_ps(0.5f), b = _mm512_set1_ps(0.25f);

	UNROLL for (int j = 0; j < 12; j++)
		acc[j] = _mm512_setzero_ps();
	for (int i = 0; i < ROUNDS; i++)
		UNROLL for (int j = 0; j < 12; j++) {
			acc[j] = _mm512_fmadd_ps(acc[j], a, b);
			KEEP(acc[j]);
		}
	return 12.0 * 16 * 2 * ROUNDS;
}

/* Whole tiles: 16 rows by 64 columns by 16. */
__attribute__((target("amx-tile,amx-int8"))) static double int8_amx(void)
{
	_Alignas(64) uint8_t config[64] = {1}; /* palette 1; row bytes from 16 on, rows from 48 on */

	for (int t = 0; t < 6; t++) {
		config[16 + 2 * t] = 64;
		config[48 + t] = 16;
	}
	__asm__ volatile("" ::"r"(config) : "memory");
	_tile_loadconfig(config); /* and zeroes the tiles */
	for (int i = 0; i < ROUNDS / 16; i++) {
		_tile_dpbssd(0, 4, 5);
		_tile_dpbssd(1, 4, 5);
		_tile_dpbssd(2, 4, 5);
		_tile_dpbssd(3, 4, 5);
	}
	_tile_release();
	return 4.0 * 16 * 64 * 16 * 2 * (ROUNDS / 16);
}

/* The exact way: 16-bit operands (avx2_matmul.c), 16 products an instruction. */
__attribute__((target("avx2"))) static double int8_avx2(void)
{
	__m256i acc[12], a = _mm256_set1_epi16(3), b = _mm256_set1_epi16(5);

	UNROLL for (int j = 0; j < 12; j++)
		acc[j] = _mm256_setzero_si256();
	for (int i = 0; i < ROUNDS; i++)
		UNROLL for (int j = 0; j < 12; j++) {
			KEEP_YMM(a); /* else the product is computed once */
			acc[j] = _mm256_add_epi32(acc[j], _mm256_madd_epi16(a, b));
			KEEP_YMM(acc[j]);
		}
	return 12.0 * 16 * 2 * ROUNDS;
}

__attribute__((target("avxvnni,avx2"))) static double int8_avxvnni(void)
{
	__m256i acc[12], a = _mm256_set1_epi8(3), b = _mm256_set1_epi8(5);

	UNROLL for (int j = 0; j < 12; j++)
		acc[j] = _mm256_setzero_si256();
	for (int i = 0; i < ROUNDS; i++)
		UNROLL for (int j = 0; j < 12; j++) {
			acc[j] = _mm256_dpbusd_avx_epi32(acc[j], a, b);
			KEEP_YMM(acc[j]);
		}
	return 12.0 * 32 * 2 * ROUNDS;
}

__attribute__((target("avx2,fma"))) static double f32_avx2(void)
{
	__m256 acc[12], a = _mm256_set1_ps(0.5f), b = _mm256_set1_ps(0.25f);

	UNROLL for (int j = 0; j < 12; j++)
		acc[j] = _mm256_setzero_ps();
	for (int i = 0; i < ROUNDS; i++)
		UNROLL for (int j = 0; j < 12; j++) {
			acc[j] = _mm256_fmadd_ps(acc[j], a, b);
			KEEP_YMM(acc[j]);
		}
	return 12.0 * 8 * 2 * ROUNDS;
}

#elif defined(__aarch64__)

#if !defined(__clang__) || __clang_major__ >= 16 || defined(__ARM_FEATURE_DOTPROD)
__attribute__((target("arch=armv8.2-a+dotprod"))) static double int8_dotprod(void)
{
	int32x4_t acc[12];
	int8x16_t a = vdupq_n_s8(3), b = vdupq_n_s8(5);

	UNROLL for (int j = 0; j < 12; j++)
		acc[j] = vdupq_n_s32(0);
	for (int i = 0; i < ROUNDS; i++)
		UNROLL for (int j = 0; j < 12; j++) {
			acc[j] = vdotq_s32(acc[j], a, b);
			__asm__ volatile("" : "+w"(acc[j]));
		}
	return 12.0 * 16 * 2 * ROUNDS;
}
#else
#define int8_dotprod int8_neon
#endif

static double int8_neon(void)
{
	int32x4_t acc[12];
	int8x8_t a = vdup_n_s8(3), b = vdup_n_s8(5);

	UNROLL for (int j = 0; j < 12; j++)
		acc[j] = vdupq_n_s32(0);
	for (int i = 0; i < ROUNDS; i++)
		UNROLL for (int j = 0; j < 12; j++) {
			__asm__ volatile("" : "+w"(a)); /* else the product is computed once */
			acc[j] = vpadalq_s16(acc[j], vmull_s8(a, b));
			__asm__ volatile("" : "+w"(acc[j]));
		}
	return 12.0 * 8 * 2 * ROUNDS;
}

static double f32_neon(void)
{
	float32x4_t acc[12], a = vdupq_n_f32(0.5f), b = vdupq_n_f32(0.25f);

	UNROLL for (int j = 0; j < 12; j++)
		acc[j] = vdupq_n_f32(0);
	for (int i = 0; i < ROUNDS; i++)
		UNROLL for (int j = 0; j < 12; j++) {
			acc[j] = vfmaq_f32(b, acc[j], a);
			__asm__ volatile("" : "+w"(acc[j]));
		}
	return 12.0 * 4 * 2 * ROUNDS;
}

#endif

static const struct {
	const char *name;
	double (*int8)(void), (*f32)(void);
} peaks[] = {
#if defined(__x86_64__)
	{"amx", int8_amx, f32_avx512},
	{"avx512", int8_avx512, f32_avx512},
	{"avxvnni", int8_avxvnni, f32_avx2},
	{"avx2", int8_avx2, f32_avx2},
#elif defined(__aarch64__)
	{"dotprod", int8_dotprod, f32_neon},
	{"neon", int8_neon, f32_neon},
#endif
	{"scalar", NULL, NULL},
};

struct peak_job {
	double (*work)(void);
	double operations; /* of one thread */
};

static void work(void *user, uint32_t thread, uint32_t threads)
{
	struct peak_job *job = user;
	double operations = job->work();

	(void)threads;
	if (thread == 0)
		job->operations = operations;
}

static double measure(struct mote_pool *p, double (*function)(void))
{
	struct peak_job job = {.work = function};
	double best = 0;

	if (!function)
		return 0;
	for (int i = 0; i < 20; i++) {
		double begin = mote_clock_seconds(), rate;

		mote_pool_run(p, work, &job);
		rate = job.operations * mote_pool_threads(p) / (mote_clock_seconds() - begin);
		best = rate > best ? rate : best;
	}
	return best;
}

double mote_limits_int8(struct mote_pool *p, const struct mote_kernels *k)
{
	for (size_t i = 0; i < sizeof peaks / sizeof *peaks; i++)
		if (strcmp(peaks[i].name, k->name) == 0)
			return measure(p, peaks[i].int8);
	return 0;
}

double mote_limits_f32(struct mote_pool *p, const struct mote_kernels *k)
{
	for (size_t i = 0; i < sizeof peaks / sizeof *peaks; i++)
		if (strcmp(peaks[i].name, k->name) == 0)
			return measure(p, peaks[i].f32);
	return 0;
}

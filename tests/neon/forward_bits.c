/* The bit-by-bit comparison of whole forward passes, without a test framework: built for another processor and run
 * under its emulator, every table that this processor has against the scalar one. Built for this machine as well, the
 * two must print the same: then the two processors compute the same bits.
 */
#include "tests/same_bits.h"

int main(void)
{
	unsigned failed = 0;
	char message[300];

	for (unsigned i = 0; i < SAME_BITS_CASES; i++) {
		const struct same_bits_case *c = &same_bits_cases[i];
		uint32_t tokens = c->tokens < 70 ? c->tokens : 70;
		uint64_t hash;

		if (find_difference(c->config, c->types, c->k, c->v, tokens, &hash, message)) {
			printf("%s\n", message);
			failed++;
		}
		printf("case %u: logits %016llx\n", i, (unsigned long long)hash);
	}
	printf("%u passed, %u failed\n", SAME_BITS_CASES - failed, failed);
	return failed ? 1 : 0;
}

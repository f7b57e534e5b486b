/* The vocabulary as a trie, for models that look whole pieces up (Unigram, ignore_merges). Its nodes are numbered
 * breadth first, so the children of a node are neighbours, sorted by the byte that leads to them. */
#include "runtime/tokenizer/tokenizer_internal.h"

uint32_t mote_tokenizer_trie_child(const struct mote_tokenizer *t, uint32_t node, uint8_t byte)
{
	const uint8_t *first = t->part[PART_TRIE_FIRST] + 4 * (size_t)node, *label = t->part[PART_TRIE_LABEL];
	uint32_t low = load32(first), high = load32(first + 4), end = high;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (label[middle] < byte)
			low = middle + 1;
		else
			high = middle;
	}
	return low < end && label[low] == byte ? low : 0;
}

int32_t mote_tokenizer_trie_find(const struct mote_tokenizer *t, const char *text, size_t bytes)
{
	uint32_t node = 0;

	for (size_t i = 0; i < bytes; i++) {
		node = mote_tokenizer_trie_child(t, node, (uint8_t)text[i]);
		if (!node)
			return -1;
	}
	node = load32(t->part[PART_TRIE_ID] + 4 * (size_t)node);
	return node == MOTE_TOKENIZER_NONE ? -1 : (int32_t)node;
}

/* What a file is, by its first bytes, when it is not what its name says: said with what to do about it, instead of
 * an error from somewhere in its middle.
 */
#ifndef MOTE_CONVERT_FILE_KIND_H
#define MOTE_CONVERT_FILE_KIND_H

#include <stddef.h>
#include <stdint.h>

#define MOTE_FILE_KIND_BYTES 64u /* the most that is looked at */

struct mote_file_kind {
	const char *is;     /* "a Git LFS pointer"; NULL: none of those that are known */
	const char *advice; /* what to do; static, like .is */
};

struct mote_file_kind mote_file_kind_of(const uint8_t *first, size_t bytes);

#endif

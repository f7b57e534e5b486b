/* The character classes that tokenizers speak of, and the alphabet in which byte-level vocabularies write bytes. */
#ifndef MOTE_RUNTIME_TOKENIZER_UNICODE_H
#define MOTE_RUNTIME_TOKENIZER_UNICODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the patterns ask of a character: \p{L}, \p{N}, \s, or none of them. */
enum char_class { CLASS_OTHER, CLASS_LETTER, CLASS_NUMBER, CLASS_SPACE };

/* [128] classes of ASCII. */
extern const uint8_t mote_tokenizer_ascii_class[128];
enum char_class mote_tokenizer_class(uint32_t c);

bool mote_tokenizer_is_space(uint32_t c);       /* White_Space */
bool mote_tokenizer_is_number(uint32_t c);      /* Nd, Nl, No */
bool mote_tokenizer_is_punctuation(uint32_t c); /* P*, and all of ASCII's punctuation */
bool mote_tokenizer_is_mark(uint32_t c);        /* M* */
bool mote_tokenizer_is_word(uint32_t c);        /* \w of Unicode's regular expressions: UTS 18, annex C */

/* The alphabet of byte-level vocabularies: each byte has a printable character, U+0021 to U+0143. */
uint32_t mote_tokenizer_byte_to_char(uint8_t byte);
/* Or -1 when the character stands for no byte. */
int mote_tokenizer_char_to_byte(uint32_t c);

#endif

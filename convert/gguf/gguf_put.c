/* Key-values, written: see gguf_put.h. */
#include "convert/gguf/gguf_put.h"

#include <string.h>

void mote_gguf_put_number(struct mote_text_buffer *b, uint64_t x, uint32_t bytes)
{
	mote_text_buffer_add(b, &x, bytes);
}

void mote_gguf_put_bytes(struct mote_text_buffer *b, const char *text, size_t bytes)
{
	mote_gguf_put_number(b, bytes, 8);
	mote_text_buffer_add(b, text, bytes);
}

static void begin(struct mote_gguf_put *p, const char *key, enum mote_gguf_kind kind)
{
	mote_gguf_put_bytes(&p->b, key, strlen(key));
	mote_gguf_put_number(&p->b, kind, 4);
	p->values++;
}

void mote_gguf_put_u32(struct mote_gguf_put *p, const char *key, uint32_t x)
{
	begin(p, key, MOTE_GGUF_UINT32);
	mote_gguf_put_number(&p->b, x, 4);
}

void mote_gguf_put_f32(struct mote_gguf_put *p, const char *key, double x)
{
	float narrow = (float)x;

	begin(p, key, MOTE_GGUF_FLOAT32);
	mote_text_buffer_add(&p->b, &narrow, sizeof narrow);
}

void mote_gguf_put_bool(struct mote_gguf_put *p, const char *key, bool x)
{
	begin(p, key, MOTE_GGUF_BOOL);
	mote_gguf_put_number(&p->b, x, 1);
}

void mote_gguf_put_text(struct mote_gguf_put *p, const char *key, const char *text, size_t bytes)
{
	begin(p, key, MOTE_GGUF_STRING);
	mote_gguf_put_bytes(&p->b, text, bytes);
}

void mote_gguf_put_array(struct mote_gguf_put *p, const char *key, enum mote_gguf_kind kind, uint64_t count)
{
	begin(p, key, MOTE_GGUF_ARRAY);
	mote_gguf_put_number(&p->b, kind, 4);
	mote_gguf_put_number(&p->b, count, 8);
}

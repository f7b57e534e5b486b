/* Sentences for the user: see notes.h. */
#include "convert/notes.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Formatted, cut and escaped as an error's message is: a note quotes files like those do. */
enum mote_status mote_notes_add(struct mote_notes *notes, struct mote_error *error, const char *format, ...)
{
	struct mote_error text = {0};
	char **grown, plain[sizeof text.message];
	va_list arguments;

	if (!notes)
		return MOTE_OK;
	va_start(arguments, format);
	vsnprintf(plain, sizeof plain, format, arguments);
	va_end(arguments);
	(void)mote_error_set(&text, MOTE_ERROR_ARGUMENT, "%s", plain);
	grown = realloc(notes->note, (notes->notes + (size_t)1) * sizeof *grown);
	if (grown)
		notes->note = grown;
	if (!grown || !(grown[notes->notes] = strdup(text.message)))
		return mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory");
	notes->notes++;
	return MOTE_OK;
}

void mote_notes_free(struct mote_notes *notes)
{
	for (uint32_t i = 0; i < notes->notes; i++)
		free(notes->note[i]);
	free(notes->note);
	*notes = (struct mote_notes){0};
}

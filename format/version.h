/* The version of mote, of its tools, its library and its man pages; runtime/api/mote.h says the same to programs.
 *
 * The first number is that of the library's SONAME: it changes when a program that was linked before would break.
 */
#ifndef MOTE_FORMAT_VERSION_H
#define MOTE_FORMAT_VERSION_H

#define MOTE_VERSION "1.0.0"

#endif

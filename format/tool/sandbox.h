/* A process that gives up what it does not need any more, so that whoever takes it over by a hostile file or request
 * finds nothing to go on with. The kernel keeps the promise (Linux: Landlock and seccomp), and nothing takes it back.
 */
#ifndef MOTE_FORMAT_SANDBOX_H
#define MOTE_FORMAT_SANDBOX_H

#include "format/status.h"

/* First, while there is one thread: from now on nothing is written, made, removed or executed by a path, and nobody is
 * connected to; threads that begin later are bound too. Reading stays. No effect where the kernel has no Landlock. */
enum mote_status mote_sandbox_begin(struct mote_error *error) MOTE_CHECKED;

/* When everything is loaded, for all threads: no file is opened, removed or renamed, no program executed, no process
 * made, no socket made or connected, no memory made executable; what is open stays usable, threads may begin, and a
 * listening socket takes connections. A call that is refused fails with EPERM.
 * MOTE_ERROR_IO: the system cannot do that; then it has not been done. */
enum mote_status mote_sandbox_seal(struct mote_error *error) MOTE_CHECKED;

#endif

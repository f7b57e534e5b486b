/* Which call fails: for the functions that shim.c puts before the system's. */
#ifndef MOTE_TESTS_FAULTS_CHOICE_H
#define MOTE_TESTS_FAULTS_CHOICE_H

#include <dlfcn.h>
#include <stdbool.h>

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

enum kind { ALLOC, MAP, OPEN, STAT, READ, WRITE, SYNC, NAME, CLOSE, THREAD, OTHER, KINDS };
enum how { PASS, FAIL, SHORT, END };

/* Counts a call, and says how it ends. errno is set for FAIL. */
enum how fault_next(enum kind kind);
/* Whether the call that is to fail is one of these. */
bool fault_is(enum kind kind, enum how how);
/* From true to false no call of this thread counts, and none fails. */
void fault_spare(bool on);

#endif

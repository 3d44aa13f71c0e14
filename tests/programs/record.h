/*
 * record.h: the programs that the library launches, each once, as it launches them.
 */
#ifndef TERN_TESTS_RECORD_H
#define TERN_TESTS_RECORD_H

#include "tern/backend.h"

enum { MOST_PROGRAMS = 1024 };

/* A program of float32, without the flags of its launch. */
typedef struct recorded {
    tern_map_attrs *program;
    uint32_t size;    /* bytes behind its head */
    uint32_t numbers; /* a bit for each input that was a number whenever it was launched */
    char label[64];   /* what launched it first */
} recorded;

extern recorded programs[MOST_PROGRAMS];
extern int n_programs;

/* Runs all that programs are made for. False, with a message, where something failed. */
bool run_programs(const char *device);
/* The same on cpu_ref, and keeps what it launches. */
bool record_programs(void);

#endif

/*
 * binary.h: the members of BINARY as functions of two numbers.
 *
 * binary_floating.c has those of floating dtypes, binary_integer.c those of integers and bool,
 * binary.c walks the operands. A chunk of at most TERN_KIT_CHUNK pairs is computed at a time; the
 * results replace a.
 */
#ifndef TERN_REF_BINARY_H
#define TERN_REF_BINARY_H

#include "kernel.h"

bool tern_ref_binary_has_floating(int32_t fn);
bool tern_ref_binary_has_integer(int32_t fn);

/* `dtype` is that of the operands: a and b hold values of it. */
void tern_ref_binary_floating(const tern_binary_attrs *attrs, int32_t dtype, double *a,
                              const double *b, int64_t n);

/* Sets the call's flag at a division by zero (its result is then open). */
void tern_ref_binary_integer(const tern_kit_call *call, const tern_binary_attrs *attrs,
                             int32_t dtype, int64_t *a, const int64_t *b, int64_t n);

#endif

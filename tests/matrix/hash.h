/* hash.h: what the two halves of the hash program share. */
#ifndef TERN_TESTS_MATRIX_HASH_H
#define TERN_TESTS_MATRIX_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HASH_START 0xcbf29ce484222325u

/* FNV-1a, 64 bits. */
uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t count);

/* The next of a fixed sequence of 64-bit numbers, and of doubles: half of them of everyday size,
 * half with any bit pattern. */
uint64_t hash_random(uint64_t *state);
double hash_number(uint64_t *state);

/* Prints one line. */
void hash_report(const char *subject, uint64_t hash);

/* Hashes every kernel of cpu_ref, which a shared build loads from the file `plugin`; false, with a line on
 * stderr, where the backend fails. */
bool hash_kernels(const char *plugin);

#endif

/* numbers.h: elements of the libraries that stand in, as numbers. */
#ifndef TERN_TESTS_CUDA_NUMBERS_H
#define TERN_TESTS_CUDA_NUMBERS_H

#include <stdint.h>

enum { NUMBER_F32, NUMBER_F64, NUMBER_F16, NUMBER_BF16 };

static inline int64_t standin_number_size(int type) {
    return type == NUMBER_F64 ? 8 : type == NUMBER_F32 ? 4 : 2;
}

double standin_load(const char *at, int64_t i, int type);
void standin_store(char *at, int64_t i, int type, double value);
/* Rounds to the nearest whose low bits are zero: 13 of TF32. */
float standin_cut(float f, int bits);

#endif

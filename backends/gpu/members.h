/*
 * members.h: which function of kernels/functions.h is which member of a pointwise family.
 */
#ifndef TERN_GPU_MEMBERS_H
#define TERN_GPU_MEMBERS_H

#include "call.h"

typedef struct gpu_member {
    const char *name;
    int32_t kinds; /* 1 floating, 2 integer, 3 both */
} gpu_member;

/* NULL where the family (TERN_KERNEL_UNARY, _BINARY, _TERNARY) has no such member. */
const gpu_member *gpu_member_of(int32_t family, int32_t fn);

#endif

/*
 * rows.h: the members of UNARY, BINARY and TERNARY as functions over rows of elements.
 *
 * A row function computes one member for n elements that lie one behind the other:
 *
 *     out[i] = f(a[i], b[i], c[i])        0 <= i < n
 *
 * The kernels of the three families are made of them, and so is MAP where it runs a program step by step:
 * each member stands once.
 */
#ifndef TERN_CPU_SIMD_ROWS_H
#define TERN_CPU_SIMD_ROWS_H

#include <stdint.h>

/*
 * `attrs` is the attribute struct of the family (tern_unary_attrs, ...), which gives the member, the
 * factor of ADD and SUB and the value of ADDCMUL and ADDCDIV. Sources that a member does not have may be
 * NULL. `out` may be any of the sources, element for element; else they do not overlap. Rows take any
 * address that suits an element, and any thread.
 *
 * A factor that is a row itself needs no function of its own, and the rounding is the same:
 *     a + f * b            ADDCMUL of a, f, b by 1
 *     fma(f * b, c, a)     MUL of f, b; ADDCMUL of a, that, c by 1
 *     a + (f * b) / c      MUL of f, b; ADDCDIV of a, that, c by 1
 */
typedef void (*tern_simd_row)(const void *attrs, int64_t n, void *out, const void *a, const void *b,
                              const void *c);

/*
 * The function of a member where every row has the dtype: float32, float64 or an integer. What is a bool
 * (comparisons, logic, a of WHERE) is 0 or 1 in that dtype; any other value but 0 counts as true. NULL:
 * there is no such member for the dtype, or it is one of integers that the kit's kernels serve (division,
 * powers and other rare ones: tern_ref_unary_integer and its neighbours compute those).
 */
tern_simd_row tern_simd_row_of(int32_t dtype, int32_t family, int32_t fn);

/* The same of predicates that write bytes, 0 or 1, and of a WHERE whose a is bytes. NULL: no such member. */
tern_simd_row tern_simd_row_bytes(int32_t dtype, int32_t family, int32_t fn);

#endif

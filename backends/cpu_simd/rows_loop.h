/*
 * rows_loop.h: row functions that are a plain loop, which the compiler makes vectors of.
 */
#ifndef TERN_CPU_SIMD_ROWS_LOOP_H
#define TERN_CPU_SIMD_ROWS_LOOP_H

/* Before a loop whose output may be one of its inputs, element for element: no iteration needs another. */
#if defined(__clang__)
#define ROW_LOOP _Pragma("clang loop vectorize(assume_safety)")
#else
#define ROW_LOOP _Pragma("GCC ivdep")
#endif

#define ROW_ARGUMENTS                                                                              \
    const void *attrs, int64_t n, void *out, const void *a, const void *b, const void *c

/* Defines the row function `name`, from elements x, y and z of type `in` to elements of type `to`. */
#define ROW_OF_ONE(name, in, to, value)                                                            \
    static void name(ROW_ARGUMENTS) {                                                              \
        (void)attrs, (void)b, (void)c;                                                             \
        const in *from_a = a;                                                                      \
        to *result = out;                                                                          \
        ROW_LOOP                                                                                   \
        for (int64_t i = 0; i < n; i++) {                                                          \
            const in x = from_a[i];                                                                \
            result[i] = (to)(value);                                                               \
        }                                                                                          \
    }
#define ROW_OF_TWO(name, in, to, value)                                                            \
    static void name(ROW_ARGUMENTS) {                                                              \
        (void)attrs, (void)c;                                                                      \
        const in *from_a = a, *from_b = b;                                                         \
        to *result = out;                                                                          \
        ROW_LOOP                                                                                   \
        for (int64_t i = 0; i < n; i++) {                                                          \
            const in x = from_a[i], y = from_b[i];                                                 \
            result[i] = (to)(value);                                                               \
        }                                                                                          \
    }
/* x has a type of its own; `factor` is the value of attrs for integers. */
#define ROW_OF_THREE(name, first, in, to, value)                                                   \
    static void name(ROW_ARGUMENTS) {                                                              \
        const in factor = (in)((const tern_ternary_attrs *)attrs)->value_i;                        \
        const first *from_a = a;                                                                   \
        const in *from_b = b, *from_c = c;                                                         \
        to *result = out;                                                                          \
        (void)factor;                                                                              \
        ROW_LOOP                                                                                   \
        for (int64_t i = 0; i < n; i++) {                                                          \
            const first x = from_a[i];                                                             \
            const in y = from_b[i], z = from_c[i];                                                 \
            result[i] = (to)(value);                                                               \
        }                                                                                          \
    }

#endif

/* simd_variants.h: the variants of cpu_simd that a test can open by kernel_driver.h. */
#ifndef TERN_TEST_SIMD_VARIANTS_H
#define TERN_TEST_SIMD_VARIANTS_H

enum { SIMD_VARIANTS_MOST = 5 };

/* The backends' names ("cpu_simd_avx2") of the variants that are built and that this CPU runs; how many.
 * At least one where cpu_simd knows the architecture, or the test ends. */
int simd_variants(const char *names[SIMD_VARIANTS_MOST]);

#endif

#include "simd_variants.h"

#include <criterion/criterion.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

static bool always(void) {
    return true;
}

typedef struct variant {
    const char *name;
    bool (*runs_here)(void);
} variant;

#if defined(__x86_64__)

static bool has_avx2(void) {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
           __builtin_cpu_supports("bmi2");
}

static bool has_avx512(void) {
    return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}

static bool has_avx512_bf16(void) {
    return has_avx512() && __builtin_cpu_supports("avx512vnni") &&
           __builtin_cpu_supports("avx512bf16");
}

static const variant known[] = {{"cpu_simd_sse2", always},
                                {"cpu_simd_avx2", has_avx2},
                                {"cpu_simd_avx512", has_avx512},
                                {"cpu_simd_avx512_bf16", has_avx512_bf16}};
#else
static const variant known[] = {{"cpu_simd_neon", always}};
#endif

static bool is_built(const char *name) {
    char path[512];
    snprintf(path, sizeof path, "%s/lib/tern/plugins/libtern_%s.so", TERN_TEST_BUILD, name);
    return access(path, R_OK) == 0;
}

int simd_variants(const char *names[SIMD_VARIANTS_MOST]) {
    int count = 0;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (is_built(known[i].name) && known[i].runs_here()) names[count++] = known[i].name;
#if defined(__x86_64__) || defined(__aarch64__)
    cr_assert_gt(count, 0, "no variant of cpu_simd is built that this CPU runs");
#endif
    return count;
}

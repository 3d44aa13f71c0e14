#include "numerics/cpu_features.h"

#include <criterion/criterion.h>
#include <string.h>

Test(cpu_features, a_name_that_nobody_knows_is_not_there) {
    tern_cpu_words words;
    memset(&words, 0xff, sizeof words);
    bool known = true;
    cr_assert_not(tern_cpu_has(&words, "quantum", &known));
    cr_assert_not(known);
    known = true;
    cr_assert_not(tern_cpu_has(&words, "", &known) && known);
}

#if defined(__x86_64__)

Test(cpu_features, a_feature_needs_the_registers_to_be_saved) {
    bool known;
    tern_cpu_words words = {.saved = 0x7};
    words.word[TERN_CPU_7_EBX] = 1u << 5 | 1u << 16; /* avx2, avx512f */
    cr_assert(tern_cpu_has(&words, "avx2", &known));
    cr_assert_not(tern_cpu_has(&words, "avx512f", &known), "ZMM registers are not saved");
    words.saved = 0xe7;
    cr_assert(tern_cpu_has(&words, "avx512f", &known));
    words.saved = 0x3; /* x87 and SSE alone, as under a hypervisor that masks AVX */
    cr_assert_not(tern_cpu_has(&words, "avx2", &known));
    cr_assert(known);
}

Test(cpu_features, amx_needs_both_tile_states) {
    bool known;
    tern_cpu_words words = {.saved = 0x20000};
    words.word[TERN_CPU_7_EDX] = 1u << 24;
    cr_assert_not(tern_cpu_has(&words, "amx_tile", &known));
    words.saved = 0x60000;
    cr_assert(tern_cpu_has(&words, "amx_tile", &known));
}

Test(cpu_features, agrees_with_the_compiler_on_this_machine) {
    bool known;
    tern_cpu_words words;
    tern_cpu_read(&words);
    __builtin_cpu_init();
    cr_assert_eq(tern_cpu_has(&words, "sse2", &known), true);
    cr_assert_eq(tern_cpu_has(&words, "sse4_2", &known), __builtin_cpu_supports("sse4.2") != 0);
    cr_assert_eq(tern_cpu_has(&words, "avx", &known), __builtin_cpu_supports("avx") != 0);
    cr_assert_eq(tern_cpu_has(&words, "fma", &known), __builtin_cpu_supports("fma") != 0);
    cr_assert_eq(tern_cpu_has(&words, "avx2", &known), __builtin_cpu_supports("avx2") != 0);
    cr_assert_eq(tern_cpu_has(&words, "avx512f", &known), __builtin_cpu_supports("avx512f") != 0);
    cr_assert_str_eq(tern_cpu_arch(), "x86_64");
}

#elif defined(__aarch64__)

Test(cpu_features, every_aarch64_machine_has_simd) {
    bool known;
    tern_cpu_words words;
    tern_cpu_read(&words);
    cr_assert(tern_cpu_has(&words, "asimd", &known));
    cr_assert_str_eq(tern_cpu_arch(), "aarch64");
}

#endif

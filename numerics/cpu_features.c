#include "numerics/cpu_features.h"

#include <stddef.h>
#include <string.h>

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#elif defined(__linux__)
#include <sys/auxv.h>
#endif

typedef struct feature {
    const char *name;
    int word;
    int bit;
    uint64_t saved; /* bits of XCR0 that must all be set */
} feature;

#if defined(__x86_64__) || defined(__i386__)

/* Intel SDM volume 1, 13.1: state components. Bit 1 is SSE, 2 AVX, 5 to 7 AVX-512, 17 and 18 AMX.
 */
#define YMM  UINT64_C(0x6)
#define ZMM  UINT64_C(0xe6)
#define TILE UINT64_C(0x60000)

static const feature features[] = {
    {"sse2", TERN_CPU_1_EDX, 26, 0},          {"sse3", TERN_CPU_1_ECX, 0, 0},
    {"ssse3", TERN_CPU_1_ECX, 9, 0},          {"sse4_1", TERN_CPU_1_ECX, 19, 0},
    {"sse4_2", TERN_CPU_1_ECX, 20, 0},        {"popcnt", TERN_CPU_1_ECX, 23, 0},
    {"movbe", TERN_CPU_1_ECX, 22, 0},         {"avx", TERN_CPU_1_ECX, 28, YMM},
    {"f16c", TERN_CPU_1_ECX, 29, YMM},        {"fma", TERN_CPU_1_ECX, 12, YMM},
    {"bmi1", TERN_CPU_7_EBX, 3, 0},           {"avx2", TERN_CPU_7_EBX, 5, YMM},
    {"bmi2", TERN_CPU_7_EBX, 8, 0},           {"avx512f", TERN_CPU_7_EBX, 16, ZMM},
    {"avx512dq", TERN_CPU_7_EBX, 17, ZMM},    {"avx512cd", TERN_CPU_7_EBX, 28, ZMM},
    {"avx512bw", TERN_CPU_7_EBX, 30, ZMM},    {"avx512vl", TERN_CPU_7_EBX, 31, ZMM},
    {"avx512_vbmi", TERN_CPU_7_ECX, 1, ZMM},  {"avx512_vnni", TERN_CPU_7_ECX, 11, ZMM},
    {"avx512_fp16", TERN_CPU_7_EDX, 23, ZMM}, {"amx_bf16", TERN_CPU_7_EDX, 22, TILE},
    {"amx_tile", TERN_CPU_7_EDX, 24, TILE},   {"amx_int8", TERN_CPU_7_EDX, 25, TILE},
    {"avx_vnni", TERN_CPU_71_EAX, 4, YMM},    {"avx512_bf16", TERN_CPU_71_EAX, 5, ZMM},
    {"abm", TERN_CPU_EXT_ECX, 5, 0},
};

static uint64_t read_xcr0(void) {
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

void tern_cpu_read(tern_cpu_words *out_words) {
    memset(out_words, 0, sizeof *out_words);
    uint32_t *w = out_words->word;
    uint32_t a, b, c, d;
    if (__get_cpuid(1, &a, &b, &c, &d)) {
        w[TERN_CPU_1_ECX] = c;
        w[TERN_CPU_1_EDX] = d;
    }
    if (__get_cpuid_count(7, 0, &a, &b, &c, &d)) {
        w[TERN_CPU_7_EBX] = b;
        w[TERN_CPU_7_ECX] = c;
        w[TERN_CPU_7_EDX] = d;
        /* EAX is the highest subleaf. */
        if (a >= 1 && __get_cpuid_count(7, 1, &a, &b, &c, &d)) w[TERN_CPU_71_EAX] = a;
    }
    if (__get_cpuid(0x80000001u, &a, &b, &c, &d)) w[TERN_CPU_EXT_ECX] = c;
    /* OSXSAVE: without it xgetbv is an illegal instruction. */
    if (w[TERN_CPU_1_ECX] & 1u << 27) out_words->saved = read_xcr0();
}

const char *tern_cpu_arch(void) {
    return sizeof(void *) == 8 ? "x86_64" : "i386";
}

#elif defined(__aarch64__)

/* Linux, arch/arm64/include/uapi/asm/hwcap.h. */
static const feature features[] = {
    {"fp", TERN_CPU_HWCAP, 0, 0},       {"asimd", TERN_CPU_HWCAP, 1, 0},
    {"atomics", TERN_CPU_HWCAP, 8, 0},  {"fphp", TERN_CPU_HWCAP, 9, 0},
    {"asimdhp", TERN_CPU_HWCAP, 10, 0}, {"asimddp", TERN_CPU_HWCAP, 20, 0},
    {"sve", TERN_CPU_HWCAP, 22, 0},     {"asimdfhm", TERN_CPU_HWCAP, 23, 0},
    {"sve2", TERN_CPU_HWCAP2, 1, 0},    {"svebf16", TERN_CPU_HWCAP2, 12, 0},
    {"i8mm", TERN_CPU_HWCAP2, 13, 0},   {"bf16", TERN_CPU_HWCAP2, 14, 0},
};

void tern_cpu_read(tern_cpu_words *out_words) {
    memset(out_words, 0, sizeof *out_words);
    out_words->word[TERN_CPU_HWCAP] = (uint32_t)getauxval(AT_HWCAP);
    out_words->word[TERN_CPU_HWCAP2] = (uint32_t)getauxval(AT_HWCAP2);
}

const char *tern_cpu_arch(void) {
    return "aarch64";
}

#else

/* Nothing is known of this machine: only variants without requirements are suitable. */
static const feature features[] = {{"", 0, 0, 0}};

void tern_cpu_read(tern_cpu_words *out_words) {
    memset(out_words, 0, sizeof *out_words);
}

const char *tern_cpu_arch(void) {
#if defined(__riscv) && __riscv_xlen == 64
    return "riscv64";
#elif defined(__powerpc64__)
    return "ppc64";
#else
    return "unknown";
#endif
}

#endif

bool tern_cpu_has(const tern_cpu_words *words, const char *name, bool *out_known) {
    for (size_t i = 0; i < sizeof features / sizeof features[0]; i++) {
        const feature *f = &features[i];
        if (strcmp(f->name, name) != 0) continue;
        *out_known = true;
        return (words->word[f->word] >> f->bit & 1u) != 0 && (words->saved & f->saved) == f->saved;
    }
    *out_known = false;
    return false;
}

/*
 * cpu_features.h: which instruction sets this machine has, by the names of /proc/cpuinfo.
 *
 * A feature counts only where the operating system also saves its registers: AVX without the YMM
 * bits of XCR0 would fault, whatever CPUID says.
 */
#ifndef TERN_NUMERICS_CPU_FEATURES_H
#define TERN_NUMERICS_CPU_FEATURES_H

#include <stdbool.h>
#include <stdint.h>

/* The words that features are bits of: registers of CPUID, or the auxiliary vector. */
enum {
    TERN_CPU_1_ECX, /* x86: CPUID leaf 1 */
    TERN_CPU_1_EDX,
    TERN_CPU_7_EBX, /* leaf 7, subleaf 0 */
    TERN_CPU_7_ECX,
    TERN_CPU_7_EDX,
    TERN_CPU_71_EAX,  /* leaf 7, subleaf 1 */
    TERN_CPU_EXT_ECX, /* leaf 0x80000001 */
    TERN_CPU_WORDS,
    TERN_CPU_HWCAP = 0, /* aarch64 */
    TERN_CPU_HWCAP2 = 1
};

/* What the machine answered; a test fills one in by hand. */
typedef struct tern_cpu_words {
    uint32_t word[TERN_CPU_WORDS];
    uint64_t saved; /* XCR0: the register sets that the system saves; 0 elsewhere */
} tern_cpu_words;

/* Asks the processor. */
void tern_cpu_read(tern_cpu_words *out_words);

/* Whether a feature is usable; `out_known` is false for a name that this build has never heard of.
 */
bool tern_cpu_has(const tern_cpu_words *words, const char *feature, bool *out_known);

/* The machine as a manifest's `arch` names it: "x86_64", "aarch64". */
const char *tern_cpu_arch(void);

#endif

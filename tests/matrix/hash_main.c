/*
 * hash_main.c: prints a hash of every result that must be the same on every compiler and CPU.
 *
 *     tern_hash [PLUGIN]       prints lines "subject hash", and their number on stderr
 *
 * The tests matrix-* build this with several compilers, optimisation levels and for aarch64, and
 * compare what they print. Two layers: the functions of numerics, and every kernel of cpu_ref for
 * every dtype, through the plugin ABI (a shared build names the plugin). Any NaN counts as equal to any other.
 */
#include "hash.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "numerics/elementary.h"

#define COUNT 4000

static int subjects;

void hash_report(const char *subject, uint64_t hash) {
    printf("%s %016" PRIx64 "\n", subject, hash);
    subjects++;
}

uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t count) {
    const unsigned char *p = bytes;
    for (size_t i = 0; i < count; i++) hash = (hash ^ p[i]) * 0x100000001b3u;
    return hash;
}

/* splitmix64 (Steele, Lea, Flood 2014). */
uint64_t hash_random(uint64_t *state) {
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

double hash_number(uint64_t *state) {
    uint64_t bits = hash_random(state);
    if (bits & 1) return (double)(int32_t)(bits >> 32) / 268435456.0;
    double number;
    memcpy(&number, &bits, sizeof number);
    return number;
}

static uint64_t hash_double(uint64_t hash, double x) {
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    if (isnan(x)) bits = 0x7ff8000000000000u;
    return hash_bytes(hash, &bits, sizeof bits);
}

static void hash_unary(const char *name, double (*f)(double)) {
    uint64_t hash = HASH_START, state = 1;
    for (int i = 0; i < COUNT; i++) hash = hash_double(hash, f(hash_number(&state)));
    hash_report(name, hash);
}

static void hash_binary(const char *name, double (*f)(double, double)) {
    uint64_t hash = HASH_START, state = 2;
    for (int i = 0; i < COUNT; i++) {
        double a = hash_number(&state), b = hash_number(&state);
        hash = hash_double(hash, f(a, b));
    }
    hash_report(name, hash);
}

static void hash_numerics(void) {
    static const struct {
        const char *name;
        double (*f)(double);
    } functions[] = {
        {"numerics/exp", tern_num_exp},         {"numerics/exp2", tern_num_exp2},
        {"numerics/expm1", tern_num_expm1},     {"numerics/log", tern_num_log},
        {"numerics/log2", tern_num_log2},       {"numerics/log10", tern_num_log10},
        {"numerics/log1p", tern_num_log1p},     {"numerics/sin", tern_num_sin},
        {"numerics/cos", tern_num_cos},         {"numerics/tan", tern_num_tan},
        {"numerics/asin", tern_num_asin},       {"numerics/acos", tern_num_acos},
        {"numerics/atan", tern_num_atan},       {"numerics/sinh", tern_num_sinh},
        {"numerics/cosh", tern_num_cosh},       {"numerics/tanh", tern_num_tanh},
        {"numerics/asinh", tern_num_asinh},     {"numerics/acosh", tern_num_acosh},
        {"numerics/atanh", tern_num_atanh},     {"numerics/sigmoid", tern_num_sigmoid},
        {"numerics/erf", tern_num_erf},         {"numerics/erfc", tern_num_erfc},
        {"numerics/erfinv", tern_num_erfinv},   {"numerics/lgamma", tern_num_lgamma},
        {"numerics/digamma", tern_num_digamma},
    };
    for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++)
        hash_unary(functions[i].name, functions[i].f);
    hash_binary("numerics/pow", tern_num_pow);
    hash_binary("numerics/atan2", tern_num_atan2);
    hash_binary("numerics/hypot", tern_num_hypot);
}

int main(int argc, char **argv) {
    hash_numerics();
    if (!hash_kernels(argc > 1 ? argv[1] : NULL)) return 1;
    fprintf(stderr, "%d subjects hashed\n", subjects);
    return 0;
}

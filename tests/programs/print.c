/*
 * print.c: prints the compiled programs of cpu_simd, backends/cpu_simd/map_programs.def, from what the
 * library launches.
 *
 *     tern_programs FILE          fails where the file is another, or the device computes something else
 *     tern_programs FILE write    writes it
 *     tern_programs FILE ahead    fails where FILE, backends/cuda/ahead/programs.txt, lacks one of them
 *     tern_programs DEVICE run    launches them on a device, which may keep them in its own way
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "backends/cpu_simd/map_hash.h"
#include "compare.h"
#include "record.h"

enum { BUCKETS = 512 };

static const char *const unary[] = {
    "",      "neg",   "abs",   "sign",     "square",  "reciprocal",  "sqrt",   "rsqrt",
    "exp",   "exp2",  "expm1", "log",      "log2",    "log10",       "log1p",  "sin",
    "cos",   "tan",   "asin",  "acos",     "atan",    "sinh",        "cosh",   "tanh",
    "asinh", "acosh", "atanh", "erf",      "erfc",    "erfinv",      "lgamma", "digamma",
    "floor", "ceil",  "trunc", "round",    "frac",    "sigmoid",     "relu",   "not",
    "",      "isnan", "isinf", "isfinite", "signbit", "log_sigmoid", "sinc",   "trigamma"};
static const char *const binary[] = {
    "",          "add",        "sub",      "mul",       "div",     "div_floor", "div_trunc",
    "remainder", "fmod",       "pow",      "maximum",   "minimum", "fmax",      "fmin",
    "atan2",     "hypot",      "copysign", "nextafter", "==",      "!=",        "<",
    "<=",        ">",          ">=",       "&",         "|",       "^",         "",
    "",          "",           "",         "",          "",        "",          "xlogy",
    "logaddexp", "logaddexp2", "heaviside"};
static const char *const ternary[] = {"", "where", "clamp", "addcmul", "addcdiv", "lerp"};

/* ---- values ---------------------------------------------------------------------------------- */

static const tern_map_step *step_of(const tern_map_attrs *p, int value) {
    int own = p->n_inputs + p->n_constants;
    return value < own ? NULL : &tern_map_steps(p)[value - own];
}

/* A mask in place of 0 and 1. */
static bool is_mask(const tern_map_attrs *p, int value) {
    const tern_map_step *s = step_of(p, value);
    if (!s) return false;
    if (s->family == TERN_KERNEL_UNARY)
        return s->fn == TERN_UNARY_LOGICAL_NOT ||
               (s->fn >= TERN_UNARY_ISNAN && s->fn <= TERN_UNARY_SIGNBIT);
    return s->family == TERN_KERNEL_BINARY && s->fn >= TERN_BINARY_EQ &&
           s->fn <= TERN_BINARY_LOGICAL_XOR;
}

/* A value as a number, and as a mask. */
static void print_number(FILE *f, const tern_map_attrs *p, int value) {
    fprintf(f, is_mask(p, value) ? "f32_of_mask(v%d)" : "v%d", value);
}

static void print_mask(FILE *f, const tern_map_attrs *p, int value) {
    fprintf(f, is_mask(p, value) ? "v%d" : "(v%d != 0)", value);
}

static void print_call(FILE *f, const tern_map_attrs *p, const char *name, const int16_t *sources,
                       int count) {
    fprintf(f, "f32_%s(", name);
    for (int i = 0; i < count; i++) {
        if (i > 0) fprintf(f, ", ");
        print_number(f, p, sources[i]);
    }
    fprintf(f, ")");
}

static void print_unary(FILE *f, const tern_map_attrs *p, const tern_map_step *s) {
    if (s->fn == TERN_UNARY_LOGICAL_NOT) {
        fprintf(f, "~");
        print_mask(f, p, s->source[0]);
    } else {
        print_call(f, p, unary[s->fn], s->source, 1);
    }
}

static void print_binary(FILE *f, const tern_map_attrs *p, const tern_map_step *s) {
    const int16_t *v = s->source;
    const char *name = binary[s->fn];
    if (v[2] >= 0) { /* a + v2 b, a - v2 b */
        print_call(f, p, s->fn == TERN_BINARY_ADD ? "add_scaled" : "sub_scaled", v, 3);
    } else if (s->fn >= TERN_BINARY_LOGICAL_AND && s->fn <= TERN_BINARY_LOGICAL_XOR) {
        print_mask(f, p, v[0]);
        fprintf(f, " %s ", name);
        print_mask(f, p, v[1]);
    } else if (s->fn <= TERN_BINARY_DIV || (s->fn >= TERN_BINARY_EQ && s->fn <= TERN_BINARY_GE)) {
        static const char *const signs[] = {"", "+", "-", "*", "/"};
        print_number(f, p, v[0]);
        fprintf(f, " %s ", s->fn <= TERN_BINARY_DIV ? signs[s->fn] : name);
        print_number(f, p, v[1]);
    } else {
        print_call(f, p, name, v, 2);
    }
}

static void print_ternary(FILE *f, const tern_map_attrs *p, const tern_map_step *s) {
    const int16_t *v = s->source;
    if (s->fn == TERN_TERNARY_WHERE) {
        fprintf(f, "f32_select(");
        print_mask(f, p, v[0]);
        fprintf(f, ", ");
        print_number(f, p, v[1]);
        fprintf(f, ", ");
        print_number(f, p, v[2]);
        fprintf(f, ")");
    } else if (v[3] >= 0) {
        print_call(f, p, s->fn == TERN_TERNARY_ADDCMUL ? "addcmul_scaled" : "addcdiv_scaled", v, 4);
    } else {
        print_call(f, p, ternary[s->fn], v, 3);
    }
}

static void print_step(FILE *f, const tern_map_attrs *p, int value) {
    const tern_map_step *s = step_of(p, value);
    fprintf(f, "        %s v%d = ", is_mask(p, value) ? "i32v" : "f32v", value);
    if (s->family == TERN_KERNEL_COPY)
        print_call(f, p,
                   s->fn == TERN_BT_FLOAT16    ? "to_f16"
                   : s->fn == TERN_BT_BFLOAT16 ? "to_bf16"
                                               : "same",
                   s->source, 1);
    else if (s->family == TERN_KERNEL_UNARY)
        print_unary(f, p, s);
    else if (s->family == TERN_KERNEL_BINARY)
        print_binary(f, p, s);
    else
        print_ternary(f, p, s);
    fprintf(f, ";\n");
}

/* ---- programs -------------------------------------------------------------------------------- */

/* The constant as C, of float32. */
static void print_constant(FILE *f, double constant) {
    float x = (float)constant;
    if (isnan(x))
        fprintf(f, "__builtin_nanf(\"\")");
    else if (isinf(x))
        fprintf(f, "%s__builtin_inff()", x < 0 ? "-" : "");
    else
        fprintf(f, "%aF", (double)x);
}

static void print_data(FILE *f, const recorded *r, int index) {
    const tern_map_attrs *p = r->program;
    fprintf(f, "\n/* %s */\nstatic const struct {\n    tern_map_attrs head;\n", r->label);
    if (p->n_constants) fprintf(f, "    tern_map_constant constants[%d];\n", p->n_constants);
    if (p->n_steps) fprintf(f, "    tern_map_step steps[%d];\n", p->n_steps);
    fprintf(f, "    int16_t outputs[%d];\n} program_%d = {\n", p->n_outputs, index);
    fprintf(f, "    {%d, %d, %d, %d, %d, 0},\n", p->compute, p->n_inputs, p->n_outputs,
            p->n_constants, p->n_steps);
    if (p->n_constants) fprintf(f, "    {");
    for (int k = 0; k < p->n_constants; k++) {
        fprintf(f, "%s{.f = ", k ? ", " : "");
        double x = tern_map_constants(p)[k].f;
        if (isnan(x) || isinf(x))
            fprintf(f, "%s}",
                    isnan(x) ? "__builtin_nan(\"\")"
                    : x < 0  ? "-__builtin_inf()"
                             : "__builtin_inf()");
        else
            fprintf(f, "%a}", x);
    }
    if (p->n_constants) fprintf(f, "},\n");
    if (p->n_steps) fprintf(f, "    {");
    for (int k = 0; k < p->n_steps; k++) {
        const tern_map_step *s = &tern_map_steps(p)[k];
        fprintf(f, "%s{%d, %d, {%d, %d, %d, %d}}", k ? ",\n     " : "", s->family, s->fn,
                s->source[0], s->source[1], s->source[2], s->source[3]);
    }
    if (p->n_steps) fprintf(f, "},\n");
    fprintf(f, "    {");
    for (int k = 0; k < p->n_outputs; k++)
        fprintf(f, "%s%d", k ? ", " : "", tern_map_outputs(p)[k]);
    fprintf(f, "}};\n");
}

static bool is_read(const tern_map_attrs *p, int value) {
    bool read = false;
    for (int k = 0; k < p->n_steps; k++)
        for (int i = 0; i < 4; i++) read = read || tern_map_steps(p)[k].source[i] == value;
    for (int k = 0; k < p->n_outputs; k++) read = read || tern_map_outputs(p)[k] == value;
    return read;
}

/* Inputs and constants before the loop, steps inside of it. */
static void print_loop(FILE *f, const recorded *r, int index) {
    const tern_map_attrs *p = r->program;
    int n_tensors = 0, n_numbers = 0, n_values = p->n_inputs + p->n_constants + p->n_steps;
    fprintf(f,
            "static void run_%d(const float *const *in, float *const *out, const f32v *number, "
            "int64_t n) {\n",
            index);
    for (int k = 0; k < p->n_inputs; k++) {
        bool number = r->numbers >> k & 1u;
        int at = number ? n_numbers++ : n_tensors++;
        if (!is_read(p, k)) continue;
        if (number)
            fprintf(f, "    const f32v v%d = number[%d];\n", k, at);
        else
            fprintf(f, "    const float *in%d = in[%d];\n", k, at);
    }
    for (int k = 0; k < p->n_constants; k++) {
        fprintf(f, "    const f32v v%d = f32_set(", p->n_inputs + k);
        print_constant(f, tern_map_constants(p)[k].f);
        fprintf(f, ");\n");
    }
    for (int k = 0; k < p->n_outputs; k++) fprintf(f, "    float *out%d = out[%d];\n", k, k);
    fprintf(f, "    const uintptr_t ahead = simd_ahead_of(n * (int64_t)sizeof(float));\n");
    fprintf(f, "    (void)in, (void)number, (void)ahead;\n");
    fprintf(f, "    for (int64_t i = 0; i < n; i += F32_LANES) {\n");
    for (int k = 0; k < p->n_inputs; k++)
        if (!(r->numbers >> k & 1u) && is_read(p, k))
            fprintf(f, "        f32v v%d = f32_load_ahead(in%d + i, ahead);\n", k, k);
    for (int value = p->n_inputs + p->n_constants; value < n_values; value++)
        print_step(f, p, value);
    for (int k = 0; k < p->n_outputs; k++) {
        fprintf(f, "        f32_store(out%d + i, ", k);
        print_number(f, p, tern_map_outputs(p)[k]);
        fprintf(f, ");\n");
    }
    fprintf(f, "    }\n}\n");
}

static void print_table(FILE *f) {
    int next[MOST_PROGRAMS] = {0}, buckets[BUCKETS] = {0};
    for (int k = 0; k < n_programs; k++) {
        uint32_t at = map_hash(programs[k].program, programs[k].size) % BUCKETS;
        next[k] = buckets[at];
        buckets[at] = k + 1;
    }
    fprintf(f, "\nstatic const map_compiled compiled[] = {\n");
    for (int k = 0; k < n_programs; k++)
        fprintf(f, "    {&program_%d.head, %u, 0x%x, run_%d, %d},\n", k, programs[k].size,
                programs[k].numbers, k, next[k]);
    fprintf(f,
            "};\n\n/* By hash: one more than the index of the first; 0 where there is none. */\n"
            "enum { BUCKETS = %d };\nstatic const int16_t buckets[BUCKETS] = {",
            BUCKETS);
    for (int k = 0; k < BUCKETS; k++) fprintf(f, "%s%d,", k % 20 ? " " : "\n    ", buckets[k]);
    fprintf(f, "\n};\n");
}

static void print_all(FILE *f) {
    fprintf(f,
            "/* Programs as loops over vectors, made by tests/programs: see map_compiled.c. */\n");
    for (int k = 0; k < n_programs; k++) {
        print_data(f, &programs[k], k);
        print_loop(f, &programs[k], k);
    }
    print_table(f);
}

/* ---- the list of cuda ------------------------------------------------------------------------ */

/* What a line of it has of a program behind the operands' dtypes; `out_sizes` is how it begins, from the second number
 * on. */
static void describe(const recorded *r, char *out_sizes, char *out_steps, size_t size) {
    const tern_map_attrs *p = r->program;
    size_t at = 0;
    snprintf(out_sizes, size, "%d %d %d %d", p->n_inputs, p->n_outputs, p->n_constants, p->n_steps);
    for (int k = 0; k < p->n_outputs && at < size; k++)
        at += (size_t)snprintf(out_steps + at, size - at, " %d", tern_map_outputs(p)[k]);
    for (int k = 0; k < p->n_steps && at < size; k++) {
        const tern_map_step *s = &tern_map_steps(p)[k];
        at += (size_t)snprintf(out_steps + at, size - at, " %d %d %d %d %d %d", s->family, s->fn,
                               s->source[0], s->source[1], s->source[2], s->source[3]);
    }
}

/* Whether a line names the program, in every dtype. */
static bool names(const char *line, const char *sizes, const char *steps) {
    size_t length = strcspn(line, "\n"), tail = strlen(steps), head = strlen(sizes);
    return strncmp(line, "maps 0 ", 7) == 0 && strncmp(line + 7, sizes, head) == 0 &&
           line[7 + head] == ' ' && length > tail &&
           strncmp(line + length - tail, steps, tail) == 0;
}

static bool is_ahead(const char *path) {
    static char line[8192], sizes[8192], steps[8192];
    FILE *f = fopen(path, "r");
    int missing = 0;
    for (int k = 0; f && k < n_programs; k++) {
        bool found = false;
        describe(&programs[k], sizes, steps, sizeof steps);
        rewind(f);
        while (!found && fgets(line, sizeof line, f)) found = names(line, sizes, steps);
        if (!found) printf("%s has none for %s: %s ...%s\n", path, programs[k].label, sizes, steps);
        missing += !found;
    }
    if (f) fclose(f);
    return f && missing == 0;
}

/* ---- the file -------------------------------------------------------------------------------- */

static bool is_same(FILE *a, FILE *b) {
    int x, y;
    do {
        x = fgetc(a);
        y = fgetc(b);
    } while (x == y && x != EOF);
    return x == y;
}

static bool write_all(const char *path) {
    FILE *f = fopen(path, "wb");
    if (!f) return false;
    print_all(f);
    return fclose(f) == 0;
}

/* Whether the file holds what would be written. */
static bool is_current(const char *path) {
    FILE *now = tmpfile(), *f = fopen(path, "rb");
    bool same = now && f;
    if (now) print_all(now);
    if (same) rewind(now);
    same = same && is_same(now, f);
    if (now) fclose(now);
    if (f) fclose(f);
    return same;
}

int main(int argc, char **argv) {
    if (argc > 2 && strcmp(argv[2], "run") == 0) return run_programs(argv[1]) ? 0 : 1;
    if (argc < 2 || !record_programs()) return 2;
    printf("%d programs\n", n_programs);
    if (argc > 2 && strcmp(argv[2], "ahead") == 0) return is_ahead(argv[1]) ? 0 : 1;
    if (argc > 2) return write_all(argv[1]) ? 0 : 2;
    if (!compare_programs("cpu_simd")) return 1;
    if (is_current(argv[1])) return 0;
    printf(
        "%s is not what the library launches now; to make it anew:\n    tern_programs %s write\n",
        argv[1], argv[1]);
    return 1;
}

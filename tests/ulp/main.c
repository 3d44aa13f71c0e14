/*
 * tern_ulp [--device NAME] [--function NAME] [--limit ULP] [--table FILE] [--write]
 * tern_ulp --all --function NAME --state FILE [--device NAME]
 * tern_ulp --sweep STEP [--function NAME] [--limit ULP] [--device NAME]
 *
 * The first form measures by samples (16-bit numbers: all of them), prints the table, and fails where an
 * error is above the limit (1) or above what the table in FILE says; with --write it writes the table. The
 * second form measures a function at all inputs of float32. The third measures all functions that the C library
 * has in float64 at every STEP-th input of float32, 1 for all.
 */
#include <stdlib.h>
#include <string.h>

#include "ulp.h"

typedef struct options {
    const char *device, *function, *table, *state;
    double limit;
    int64_t sweep; /* 0: none */
    bool write, all;
} options;

static int usage(void) {
    fputs(
        "usage: tern_ulp [--device NAME] [--function NAME] [--limit ULP] [--table FILE] [--write]\n"
        "       tern_ulp --all --function NAME --state FILE [--device NAME]\n"
        "       tern_ulp --sweep STEP [--function NAME] [--limit ULP] [--device NAME]\n",
        stderr);
    return 2;
}

static bool read_options(int argc, char **argv, options *o) {
    *o = (options){.device = "cpu_ref", .limit = 1};
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : NULL;
        if (strcmp(argv[i], "--write") == 0) {
            o->write = true;
            continue;
        }
        if (strcmp(argv[i], "--all") == 0) {
            o->all = true;
            continue;
        }
        if (!value) return false;
        i++;
        if (strcmp(argv[i - 1], "--device") == 0)
            o->device = value;
        else if (strcmp(argv[i - 1], "--function") == 0)
            o->function = value;
        else if (strcmp(argv[i - 1], "--table") == 0)
            o->table = value;
        else if (strcmp(argv[i - 1], "--state") == 0)
            o->state = value;
        else if (strcmp(argv[i - 1], "--limit") == 0)
            o->limit = strtod(value, NULL);
        else if (strcmp(argv[i - 1], "--sweep") == 0 && strtoll(value, NULL, 10) > 0)
            o->sweep = strtoll(value, NULL, 10);
        else
            return false;
    }
    if (o->all) return o->function && o->state;
    return !o->write || o->table;
}

/* One function in one format; complains where it is too far off. */
static bool measure(tern_ctx *ctx, const options *o, int index, int format, const ulp_table *known,
                    double *out_error) {
    const ulp_function *function = &ulp_functions[index];
    const ulp_format *f = &ulp_formats[format];
    bool every = f->bits == 16 && function->arity == 1;
    ulp_samples s = function->arity == 2 ? ulp_samples_binary(f)
                    : every              ? ulp_samples_every(f)
                                         : ulp_samples_unary(f);
    ulp_worst worst = {0};
    bool ok = ulp_measure(ctx, function, f, &s, every ? ULP_CONFIRM_SOME : ULP_CONFIRM_ALL, &worst);
    ulp_samples_free(&s);
    *out_error = worst.error;
    double allowed = o->limit;
    if (known && !o->write && known->error[index][format] < allowed)
        allowed = known->error[index][format];
    if (!ok || worst.error <= allowed) return ok;
    fprintf(stderr, "ulp: %s of %s is %.4f ulp off where %.4f are allowed: %a, %a give %a\n",
            function->name, f->name, worst.error, allowed, worst.x, worst.y, worst.got);
    return false;
}

static int measure_all(const options *o) {
    ulp_table known, found;
    if (o->table && !ulp_table_read(o->table, &known)) return 2;
    tern_ctx *ctx = tern_open(o->device);
    bool open = tern_check(ctx) == TERN_OK, ok = open;
    if (!open) fprintf(stderr, "ulp: %s\n", tern_error(ctx));
    for (int i = 0; open && i < ulp_function_count; i++) {
        const ulp_function *function = &ulp_functions[i];
        if (!function->op || (o->function && strcmp(function->name, o->function) != 0)) continue;
        printf("%-12s", function->name);
        for (int f = 0; f < ULP_FORMATS; f++) {
            ok = measure(ctx, o, i, f, o->table ? &known : NULL, &found.error[i][f]) && ok;
            printf(" %8.4f", found.error[i][f]);
            fflush(stdout);
        }
        printf("\n");
        fflush(stdout);
    }
    tern_close(ctx);
    mpfr_free_cache();
    if (ok && o->write) ok = ulp_table_write(o->table, &found);
    return ok ? 0 : 1;
}

int main(int argc, char **argv) {
    options o;
    if (!read_options(argc, argv, &o)) return usage();
    if (o.function && !ulp_function_named(o.function)) {
        fprintf(stderr, "ulp: there is no function '%s'\n", o.function);
        return 2;
    }
    if (o.sweep) return ulp_run_sweep(o.device, o.function, o.sweep, o.limit);
    if (o.all) return ulp_run_every(o.device, ulp_function_named(o.function), o.state);
    return measure_all(&o);
}

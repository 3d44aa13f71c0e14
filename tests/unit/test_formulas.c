/* The formulas that are part of other operations: their derivatives, and the same bits fused and step by
 * step. Those that are operations of their own are in test_pointwise.c. */
#define _POSIX_C_SOURCE 200809L /* setenv */
#include <criterion/criterion.h>
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tern/grad.h"
#include "tern/ops.h"
#include "test_plugins.h"

TestSuite(formulas, .init = find_test_plugins, .fini = forget_test_plugins);

/* ---- samples: away from kinks ---- */

typedef struct sample {
    char letter;
    int count; /* 6: a vector, or [2, 3] where the case says so */
    double data[6];
} sample;

static const sample samples[] = {
    {'x', 6, {-1.3, -0.4, 0.35, 0.9, 1.7, 2.6}},
    {'y', 6, {0.8, -0.87, 0.2, 0.5, 2.9, -1.1}},
    {'z', 6, {1.9, 0.3, -0.7, 1.2, -0.2, 0.6}},
    {'p', 6, {0.1, 0.25, 0.33, 0.5, 0.72, 0.85}},
    {'q', 6, {0.6, 0.15, 0.9, 0.4, 0.22, 0.7}},
    {'u', 6, {0.5, 1.2, 2.3, 0.9, 3.1, 1.6}},
    {'s', 6, {1, -1, 1, -1, -1, 1}},
    {'m', 6, {1, 0, 1, 1, 0, 1}},
    {'c', 3, {0.4, -0.6, 1.1}},
    {'d', 3, {0.5, 1.3, 2.1}},
    {'e', 3, {0.9, -1.2, 0.7}},
    {'f', 3, {0.2, 0.8, -0.5}},
    {'k', 2, {1, -1}},
    {'o', 1, {0.3}},
    {'i', 6, {0.3, -1.2, 0.8, 1.5, -0.6, 0.9}},       /* [1, 1, 2, 3]: a picture */
    {'g', 6, {-0.63, 0.21, 0.32, -0.47, 0.71, 0.58}}, /* [1, 3, 1, 2]: places in it */
};

static const sample *sample_of(char letter) {
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++)
        if (samples[i].letter == (letter | 0x20)) return &samples[i];
    cr_assert_fail("there is no sample '%c'", letter);
    return NULL;
}

/* ---- cases ---- */

/* Tensors by the letters of their samples, '-' for none; capitals get a gradient. Numbers, texts and
 * tensors follow by name. `names` without a tensor's letter in capitals is not differentiated. */
typedef struct formula_case {
    const char *operation, *tensors, *named;
    bool matrix;
} formula_case;

#define F "nn.functional."
static const formula_case cases[] = {
    /* loss.c */
    {F "l1_loss", "XY", "", false},
    {F "l1_loss", "XY", "weight=U", false},
    {F "mse_loss", "XY", "reduction=none", false},
    {F "mse_loss", "XY", "weight=U", false},
    /* loss_distance.c */
    {F "smooth_l1_loss", "XY", "", false},
    {F "smooth_l1_loss", "XY", "beta=0.5 reduction=sum", false},
    {F "smooth_l1_loss", "XY", "beta=0", false},
    {F "huber_loss", "XY", "delta=0.7", false},
    {F "soft_margin_loss", "XS", "", false},
    {F "margin_ranking_loss", "XYS", "margin=0.22", false},
    {F "hinge_embedding_loss", "Xs", "margin=1.25", false},
    {F "poisson_nll_loss", "XU", "", false},
    {F "poisson_nll_loss", "XU", "full=True", false},
    {F "poisson_nll_loss", "UU", "log_input=False", false},
    {F "poisson_nll_loss", "PU", "log_input=False full=True", false},
    {F "gaussian_nll_loss", "XYU", "", false},
    {F "gaussian_nll_loss", "XYU", "full=True", false},
    {F "cosine_embedding_loss", "XYk", "margin=0.1", true},
    {F "triplet_margin_loss", "XYZ", "", true},
    {F "triplet_margin_loss", "XYZ", "swap=True", true},
    {F "triplet_margin_with_distance_loss", "XYZ", "", true},
    /* loss_class.c */
    {F "binary_cross_entropy", "PQ", "", false},
    {F "binary_cross_entropy", "PQU", "reduction=none", false},
    {F "binary_cross_entropy_with_logits", "XQ", "", false},
    {F "binary_cross_entropy_with_logits", "XQ", "pos_weight=U", false},
    {F "kl_div", "XP", "", false},
    {F "kl_div", "XY", "log_target=True", false},
    {F "multilabel_soft_margin_loss", "XM", "", true},
    /* cross_entropy.c */
    {F "cross_entropy", "XP", "label_smoothing=0.1", true},
    {F "cross_entropy", "XP", "weight=D", true},
    /* activation.c */
    {F "prelu", "XO", "", false},
    {F "glu", "X", "", false},
    /* dropout.c */
    {F "dropout", "X", "p=0.4", false},
    {F "dropout2d", "X", "", true},
    {F "alpha_dropout", "X", "p=0.3 training=True", false},
    {F "feature_alpha_dropout", "X", "training=True", true},
    {F "rrelu", "X", "", false},
    {"native_dropout_backward", "Xm", "scale=1.25", false},
    /* elementwise_composed.c */
    {"special.xlog1py", "XU", "", false},
    {"nan_to_num", "X", "", false},
    /* norm_given.c */
    {F "batch_norm", "Xcd", "", true},
    {F "batch_norm", "XCDE", "", true},
    {F "batch_norm", "XCD-F", "", true},
    {F "batch_norm", "XCDEF", "eps=0.1", true},
    {F "instance_norm", "XCDEF", "use_input_stats=False", true},
    /* normalise.c */
    {F "layer_norm", "X", "normalized_shape=3", true},
    {F "layer_norm", "X", "normalized_shape=3 weight=D", true},
    {F "layer_norm", "X", "normalized_shape=3 weight=D bias=E", true},
    {F "rms_norm", "X", "normalized_shape=3 weight=D eps=0.1", true},
    {F "group_norm", "X", "num_groups=1 weight=D", true},
    {F "batch_norm", "X--EF", "training=True", true},
    {"native_layer_norm", "X", "normalized_shape=3 weight=D bias=E eps=0.1", true},
    /* differences.c */
    {"gradient", "Xu", "", false},
    {"renorm", "X", "p=2 dim=0 maxnorm=1.5", true},
    /* grid_sample.c */
    {F "grid_sample", "IG", "align_corners=True", false},
    {F "grid_sample", "IG", "align_corners=False padding_mode=border", false},
    {F "grid_sample", "IG", "align_corners=False padding_mode=reflection", false},
    {F "grid_sample", "IG", "mode=bicubic align_corners=False", false},
    {F "grid_sample", "Ig", "mode=nearest align_corners=False", false},
};
enum { N_CASES = sizeof cases / sizeof cases[0], MOST = 6 };

/* How often each file calls a formula, so that a new one is met here. */
static const struct {
    const char *file;
    int calls;
} known[] = {
    {"activation.c", 4}, {"dropout.c", 3},       {"elementwise_composed.c", 4}, {"loss.c", 2},
    {"loss_class.c", 7}, {"cross_entropy.c", 1}, {"loss_distance.c", 11},       {"norm_given.c", 1},
    {"normalise.c", 9},  {"differences.c", 2},   {"grid_sample.c", 10},
};

/* ---- running a case ---- */

static tern_tensor *made(tern_ctx *ctx, const formula_case *c, char letter, tern_dtype dtype) {
    const sample *s = sample_of(letter);
    tern_shape shape = s->letter == 'i'             ? TERN_SHAPE(1, 1, 2, 3)
                       : s->letter == 'g'           ? TERN_SHAPE(1, 3, 1, 2)
                       : s->count == 6 && c->matrix ? TERN_SHAPE(2, 3)
                                                    : TERN_SHAPE(s->count);
    tern_tensor *x = tern_to_dtype(tern_from_data(ctx, s->data, shape, TERN_FLOAT64), dtype);
    return tern_requires_grad(tern_detach(x), letter < 'a');
}

/* The inputs that get a gradient, in the order of apply. */
static int leaves(tern_ctx *ctx, const formula_case *c, tern_dtype dtype, tern_tensor **out) {
    int count = 0;
    for (const char *at = c->tensors; *at; at++)
        if (*at >= 'A' && *at <= 'Z') out[count++] = made(ctx, c, *at, dtype);
    const char *named = strchr(c->named, '=');
    for (; named; named = strchr(named + 1, '='))
        if (strchr(" ", named[2]) && named[1] >= 'A') out[count++] = made(ctx, c, named[1], dtype);
    return count;
}

/* "name=value ...", where a value is a number, True, False, text or a capital for the next input. */
static tern_value named_arguments(tern_ctx *ctx, const char *text, tern_tensor *const *next) {
    tern_value dict = tern_dict_new(ctx, false);
    char key[64], word[64];
    for (int used; sscanf(text, " %63[^=]=%63s%n", key, word, &used) == 2; text += used) {
        char *end;
        double number = strtod(word, &end);
        bool whole = !*end && !strchr(word, '.');
        bool truth = strcmp(word, "True") == 0;
        tern_dict_set(dict, key,
                      whole                                 ? tern_int((int64_t)number)
                      : !*end                               ? tern_float(number)
                      : truth || strcmp(word, "False") == 0 ? tern_bool(truth)
                      : word[1]                             ? tern_string_n(ctx, word, strlen(word))
                                                            : tern_tensor_value(*next++));
    }
    return dict;
}

static tern_tensor *apply(tern_ctx *ctx, tern_tensor *const *in, int count, void *user) {
    (void)count;
    const formula_case *c = user;
    tern_value args[8];
    int n = 0;
    tern_dtype dtype = tern_dtype_of(in[0]);
    tern_manual_seed(ctx, 3);
    for (const char *at = c->tensors; *at; at++)
        args[n++] = *at == '-'  ? tern_none()
                    : *at < 'a' ? tern_tensor_value(*in++)
                                : tern_tensor_value(made(ctx, c, *at, dtype));
    tern_value out = tern_call(ctx, c->operation, args, n, named_arguments(ctx, c->named, in));
    cr_assert_eq(tern_check(ctx), TERN_OK, "%s: %s", c->operation, tern_error(ctx));
    return out.kind == TERN_VALUE_TENSOR ? out.as.tensor : tern_value_at(out, 0).as.tensor;
}

Test(formulas, derivatives_and_their_own_are_right) {
    tern_ctx *ctx = tern_open("cpu_ref");
    for (int i = 0; i < N_CASES; i++) {
        tern_tensor *in[MOST];
        void *user = (void *)(uintptr_t)&cases[i];
        int count = leaves(ctx, &cases[i], TERN_FLOAT64, in);
        tern_gradcheck(ctx, apply, user, in, count, 1e-6, 1e-5, 1e-3);
        cr_assert_eq(tern_check(ctx), TERN_OK, "%s(%s): %s", cases[i].operation, cases[i].named,
                     tern_error(ctx));
        tern_gradgradcheck(ctx, apply, user, in, count, 1e-6, 1e-5, 1e-3);
        cr_assert_eq(tern_check(ctx), TERN_OK, "%s(%s), twice: %s", cases[i].operation,
                     cases[i].named, tern_error(ctx));
    }
    tern_close(ctx);
}

/* ---- fused and step by step ---- */

enum { ROOM = 6 + 2 * MOST * 6 };

static int keep(tern_tensor *x, double *out) {
    if (!x || tern_is_nil(x)) return 0;
    tern_to_doubles(x, out, (size_t)tern_numel(x));
    return (int)tern_numel(x);
}

/* The value and the gradients of first and second order; how many numbers. */
static int bits_of(tern_ctx *ctx, const formula_case *c, tern_dtype dtype, double *out) {
    tern_tensor *in[MOST], *first[MOST], *second[MOST], *ones[MOST];
    tern_scope scope = tern_scope_begin(ctx, 0);
    int count = leaves(ctx, c, dtype, in), n = 0;
    tern_tensor *y = apply(ctx, in, count, (void *)(uintptr_t)c);
    tern_tensor *seed = tern_requires_grad(tern_full_like(y, 0.7), true);
    tern_grad(&y, 1, in, count, &seed, TERN_CREATE_GRAPH, first);
    for (int k = 0; k < count; k++) ones[k] = tern_full_like(first[k], 1.3);
    tern_grad(first, count, in, count, ones, TERN_ALLOW_UNUSED, second);
    n += keep(y, out + n);
    for (int k = 0; k < count; k++) n += keep(first[k], out + n);
    for (int k = 0; k < count; k++) n += keep(second[k], out + n);
    cr_assert_eq(tern_check(ctx), TERN_OK, "%s(%s): %s", c->operation, c->named, tern_error(ctx));
    tern_scope_end(scope);
    return n;
}

Test(formulas, fused_and_step_by_step_have_the_same_bits) {
    static const tern_dtype dtypes[] = {TERN_FLOAT32, TERN_FLOAT64, TERN_FLOAT16, TERN_BFLOAT16};
    tern_ctx *fused = tern_open("cpu_ref"), *stepwise = tern_open("minimal");
    for (int i = 0; i < N_CASES * 4; i++) {
        const formula_case *c = &cases[i / 4];
        double a[ROOM], b[ROOM];
        int n = bits_of(fused, c, dtypes[i % 4], a);
        cr_assert_eq(bits_of(stepwise, c, dtypes[i % 4], b), n);
        for (int k = 0; k < n; k++)
            cr_assert((isnan(a[k]) && isnan(b[k])) || memcmp(&a[k], &b[k], sizeof a[k]) == 0,
                      "%s(%s), dtype %d, number %d: %.17g, fused %.17g", c->operation, c->named,
                      (int)dtypes[i % 4], k, b[k], a[k]);
    }
    tern_close(fused);
    tern_close(stepwise);
}

/* ---- every formula is met ---- */

static int calls_in(const char *path) {
    static const char *const callers[] = {"FORMULA(", "FORMULA_AS(", "tern_formulas_call(",
                                          "tern_formulas_joined(", "tern_formula_grads("};
    static char text[1 << 17];
    FILE *file = fopen(path, "r");
    cr_assert(file, "%s", path);
    text[fread(text, 1, sizeof text - 1, file)] = 0;
    fclose(file);
    int calls = 0;
    for (size_t i = 0; i < sizeof callers / sizeof callers[0]; i++)
        for (const char *at = text; (at = strstr(at, callers[i])) != NULL; at++) calls++;
    return calls;
}

Test(formulas, every_call_of_a_formula_is_in_a_case) {
    DIR *folder = opendir(TERN_TEST_SOURCE "/functional");
    cr_assert(folder);
    for (const struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        char path[512];
        int expected = 0;
        if (!strstr(entry->d_name, ".c")) continue;
        snprintf(path, sizeof path, TERN_TEST_SOURCE "/functional/%s", entry->d_name);
        for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
            if (strcmp(known[i].file, entry->d_name) == 0) expected = known[i].calls;
        cr_expect_eq(
            calls_in(path), expected,
            "functional/%s calls %d formulas, %d are known here: add cases for the new ones",
            entry->d_name, calls_in(path), expected);
    }
    closedir(folder);
}

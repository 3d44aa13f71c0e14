/* ops/: calls of one operation by name, forward, gradients, and what a call changes in place. */
#include "arguments.h"
#include "conformance.h"
#include "results.h"

#include "tern/grad.h"
#include "tern/ops.h"

#include <stdio.h>
#include <string.h>

enum { MOST_INPUTS = 256, LABEL_SIZE = 128 };

/* PyTorch's own functions that are recorded under an internal name. */
static const struct {
    const char *internal, *public;
} renamed[] = {{"_segment_reduce", "segment_reduce"}};

/* Internals of PyTorch that nobody is to call: parts of functions that are there by their own names. */
static const struct {
    const char *name, *reason;
} internals[] = {
    {"_batch_norm_with_update", "an internal of PyTorch: batch_norm, and what its backward keeps"},
    {"_native_batch_norm_legit", "an internal of PyTorch: batch_norm, and what its backward keeps"},
    {"_chunk_cat", "an internal of PyTorch: the packing of sharded parameters"},
    {"_unsafe_masked_index", "an internal of PyTorch: indexing that its compiler derives"},
    {"_unsafe_masked_index_put_accumulate",
     "an internal of PyTorch: indexing that its compiler derives"},
    {"_upsample_bilinear2d_aa", "an internal of PyTorch: a kernel of interpolate(antialias=True)"},
};

static const char *public_name(const char *name) {
    for (size_t i = 0; i < sizeof renamed / sizeof *renamed; i++)
        if (strcmp(renamed[i].internal, name) == 0) return renamed[i].public;
    return name;
}

/* The tensors made for a case, by argument ("input", "tensors.0"). */
typedef struct inputs {
    test_case *t;
    int count;
    char names[MOST_INPUTS][LABEL_SIZE];
    tern_tensor *tensors[MOST_INPUTS];
} inputs;

static tern_tensor *find_input(const inputs *in, const char *name) {
    for (int i = 0; i < in->count; i++)
        if (strcmp(in->names[i], name) == 0) return in->tensors[i];
    return NULL;
}

static tern_tensor *make_input(void *user, const char *name, const char *argument) {
    inputs *in = user;
    tern_value layout = tern_dict_get(tern_dict_get(in->t->json, "layout"), argument);
    tern_tensor *tensor = vectors_upload(in->t->file, name, layout);
    if (in->count == MOST_INPUTS) {
        tern_fail(in->t->run->ctx, TERN_ERR_ARGUMENT, "a case has more than %d tensors",
                  MOST_INPUTS);
        return tensor;
    }
    tern_value wanted = tern_dict_get(tern_dict_get(in->t->json, "grads"), argument);
    if (wanted.kind == TERN_VALUE_STRING) tensor = tern_requires_grad(tensor, true);
    snprintf(in->names[in->count], LABEL_SIZE, "%s", argument);
    in->tensors[in->count++] = tensor;
    return tensor;
}

static void check_outputs(test_case *t, const results *got) {
    tern_value wanted = tern_dict_get(t->json, "out");
    tern_value dtypes = tern_dict_get(t->json, "out_dtype");
    tern_value signs = tern_dict_get(t->json, "up_to_sign");
    tern_value truth = tern_dict_get(t->json, "truth");
    size_t count = tern_value_count(wanted);
    if (got->count != count) {
        case_fail(t, "%zu results, expected %zu", got->count, count);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        char label[LABEL_SIZE];
        tern_value reference = tern_value_at(wanted, i);
        if (reference.kind != TERN_VALUE_STRING) continue; /* PyTorch leaves it open */
        snprintf(label, sizeof label, "out%zu", i);
        tolerance limit = {.torch_error = case_error(t, label)};
        limit.exact = truth.kind == TERN_VALUE_STRING && strcmp(truth.as.s, "own") == 0;
        for (size_t k = 0; k < tern_value_count(signs); k++)
            limit.up_to_sign |= tern_value_as_int(tern_value_at(signs, k)) == (int64_t)i;
        case_check(t, label, got->items[i], reference, dtype_of_text(tern_value_at(dtypes, i)),
                   &limit);
    }
}

static void check_changes(test_case *t, const inputs *in) {
    tern_value after = tern_dict_get(t->json, "after");
    tern_value key, reference;
    for (size_t i = 0; tern_dict_at(after, i, &key, &reference); i++) {
        char label[LABEL_SIZE];
        tern_tensor *tensor = find_input(in, key.as.s);
        snprintf(label, sizeof label, "after.%s", key.as.s);
        tolerance limit = {.torch_error = case_error(t, label)};
        if (!tensor)
            case_fail(t, "%s: the case has no such argument", label);
        else
            case_check(t, label, tern_tensor_value(tensor), reference, tern_dtype_of(tensor),
                       &limit);
    }
}

/* Collects the outputs that a gradient is fed into; returns how many. */
static int gather_outputs(test_case *t, const results *got, tern_tensor **outputs,
                          tern_tensor **seeds) {
    tern_value fed = tern_dict_get(t->json, "grad_out");
    int count = 0;
    for (size_t i = 0; i < tern_value_count(fed) && i < got->count; i++) {
        tern_value reference = tern_value_at(fed, i);
        if (reference.kind != TERN_VALUE_STRING) continue;
        outputs[count] = result_tensor(t->run->ctx, got->items[i]);
        seeds[count++] = vectors_upload(t->file, reference.as.s, tern_none());
    }
    return count;
}

static void check_gradients(test_case *t, const inputs *in, const results *got) {
    tern_value wanted = tern_dict_get(t->json, "grads");
    tern_tensor *outputs[MOST_RESULTS], *seeds[MOST_RESULTS];
    tern_tensor *leaves[MOST_INPUTS], *gradients[MOST_INPUTS] = {NULL};
    tern_value key, reference;
    int n_leaves = 0;
    for (size_t i = 0; tern_dict_at(wanted, i, &key, &reference) && n_leaves < MOST_INPUTS; i++) {
        leaves[n_leaves] = find_input(in, key.as.s);
        if (!leaves[n_leaves++]) {
            case_fail(t, "grad.%s: the case has no such argument", key.as.s);
            return;
        }
    }
    int n_outputs = gather_outputs(t, got, outputs, seeds);
    if (n_leaves == 0 || n_outputs == 0 || tern_error(t->run->ctx)[0]) return;
    if (tern_grad(outputs, n_outputs, leaves, n_leaves, seeds, TERN_ALLOW_UNUSED, gradients))
        return;
    for (int i = 0; i < n_leaves; i++) {
        char label[LABEL_SIZE];
        tern_dict_at(wanted, (size_t)i, &key, &reference);
        snprintf(label, sizeof label, "grad.%s", key.as.s);
        tolerance limit = {.torch_error = case_error(t, label)};
        if (!gradients[i])
            case_fail(t, "%s: there is no gradient", label);
        else
            case_check(t, label, tern_tensor_value(gradients[i]), reference,
                       tern_dtype_of(leaves[i]), &limit);
    }
}

static void run(test_case *t) {
    static inputs in; /* large, and one case runs at a time */
    static results got;
    tern_ctx *ctx = t->run->ctx;
    in.t = t;
    in.count = 0;
    tern_value named = call_arguments(ctx, tern_dict_get(t->json, "args"), make_input, &in);
    if (tern_error(ctx)[0]) return;
    results_flatten(tern_call(ctx, public_name(vectors_name(t->file)), NULL, 0, named), &got);
    if (tern_error(ctx)[0]) return;
    check_outputs(t, &got);
    check_changes(t, &in);
    if (tern_dict_has(t->json, "grads")) check_gradients(t, &in, &got);
}

static bool has(tern_ctx *ctx, const char *name) {
    (void)ctx;
    return tern_op_exists(public_name(name));
}

static const char *reason(const char *name) {
    for (size_t i = 0; i < sizeof internals / sizeof *internals; i++)
        if (strcmp(internals[i].name, name) == 0) return internals[i].reason;
    return NULL;
}

const suite suite_ops = {.folder = "ops", .has = has, .reason = reason, .run = run};

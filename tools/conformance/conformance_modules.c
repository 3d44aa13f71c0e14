/* modules/: a module from its arguments and state, forward, gradients, and what the call changed. */
#include "arguments.h"
#include "conformance.h"
#include "results.h"

#include "tern/grad.h"
#include "tern/nn.h"
#include "tern/ops.h"

#include <stdio.h>
#include <string.h>

enum { LABEL_SIZE = 160, MOST_LEAVES = 128 };

/* A named input as it was made, for its gradient: "input", "hx.0". */
typedef struct module_inputs {
    test_case *t;
    int count;
    char names[MOST_LEAVES][LABEL_SIZE];
    tern_tensor *tensors[MOST_LEAVES];
} module_inputs;

static tern_tensor *find_tensor(void *user, const char *name, const char *argument) {
    (void)argument;
    return vectors_upload(((test_case *)user)->file, name, tern_none());
}

static tern_tensor *make_input(void *user, const char *name, const char *argument) {
    module_inputs *in = user;
    char key[LABEL_SIZE + 8];
    tern_tensor *tensor = vectors_upload(in->t->file, name, tern_none());
    snprintf(key, sizeof key, "inputs.%s", argument);
    if (tern_dict_has(tern_dict_get(in->t->json, "grads"), key))
        tensor = tern_requires_grad(tensor, true);
    if (in->count < MOST_LEAVES) {
        snprintf(in->names[in->count], LABEL_SIZE, "%s", argument);
        in->tensors[in->count++] = tensor;
    }
    return tensor;
}

static tern_tensor *find_leaf(const module_inputs *in, tern_module *module, const char *key) {
    tern_value parameter;
    if (strncmp(key, "inputs.", 7) == 0) {
        for (int i = 0; i < in->count; i++)
            if (strcmp(in->names[i], key + 7) == 0) return in->tensors[i];
        return NULL;
    }
    parameter = tern_dict_get(tern_module_named_parameters(module), key);
    return parameter.kind == TERN_VALUE_TENSOR ? parameter.as.tensor : NULL;
}

/* Drawn weights are compared first: a constructor that draws otherwise than PyTorch is seen even though
 * the stored state overwrites it. */
static void check_initial_state(test_case *t, tern_module *module) {
    tern_value wanted = tern_dict_get(t->json, "state"), key, reference;
    tern_value matches = tern_dict_get(t->json, "init_matches_seed");
    tern_value state = tern_module_state_dict(module);
    if (matches.kind != TERN_VALUE_BOOL || !matches.as.b) return;
    if (tern_value_count(state) != tern_value_count(wanted)) {
        case_fail(t, "the state has %zu entries, expected %zu", tern_value_count(state),
                  tern_value_count(wanted));
        return;
    }
    for (size_t i = 0; tern_dict_at(wanted, i, &key, &reference); i++) {
        char label[LABEL_SIZE];
        tern_value own_key, own;
        tern_dict_at(state, i, &own_key, &own);
        snprintf(label, sizeof label, "initial state.%s", key.as.s);
        if (strcmp(own_key.as.s, key.as.s) != 0)
            case_fail(t, "state entry %zu is '%s', but '%s' is right", i, own_key.as.s, key.as.s);
        else
            case_check_bits(t, label, own, reference);
    }
}

static void load_state(test_case *t, tern_module *module) {
    tern_ctx *ctx = t->run->ctx;
    if (!tern_dict_has(t->json, "state")) return;
    tern_value state = call_arguments(ctx, tern_dict_get(t->json, "state"), find_tensor, t);
    if (!tern_error(ctx)[0]) tern_module_load_state_dict(module, state, true);
}

static void check_outputs(test_case *t, const results *got) {
    tern_value wanted = tern_dict_get(t->json, "out"), dtypes = tern_dict_get(t->json, "out_dtype");
    size_t count = tern_value_count(wanted);
    if (got->count != count) {
        case_fail(t, "%zu results, expected %zu", got->count, count);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        char label[LABEL_SIZE];
        tern_value reference = tern_value_at(wanted, i);
        snprintf(label, sizeof label, "out%zu", i);
        tolerance limit = {.torch_error = case_error(t, label)};
        if (reference.kind == TERN_VALUE_STRING)
            case_check(t, label, got->items[i], reference, dtype_of_text(tern_value_at(dtypes, i)),
                       &limit);
        else if (got->items[i].kind != TERN_VALUE_NONE && !tern_dict_has(t->json, "out_dtype"))
            case_fail(t, "%s: a result came where None is right", label);
    }
}

static void check_changed_state(test_case *t, tern_module *module) {
    tern_value wanted = tern_dict_get(t->json, "out_state"), key, reference;
    tern_value state = tern_module_state_dict(module);
    for (size_t i = 0; tern_dict_at(wanted, i, &key, &reference); i++) {
        char label[LABEL_SIZE];
        tern_value entry = tern_dict_get(state, key.as.s);
        snprintf(label, sizeof label, "out_state.%s", key.as.s);
        tolerance limit = {.torch_error = case_error(t, label)};
        if (entry.kind == TERN_VALUE_TENSOR)
            case_check(t, label, entry, reference, tern_dtype_of(entry.as.tensor), &limit);
        else
            case_fail(t, "%s: the state has no such entry", label);
    }
}

static int gather_outputs(test_case *t, const results *got, tern_tensor **outputs,
                          tern_tensor **seeds) {
    tern_value fed = tern_dict_get(t->json, "grad_out");
    int count = 0;
    for (size_t i = 0; i < tern_value_count(fed) && i < got->count && count < MOST_LEAVES; i++) {
        tern_value reference = tern_value_at(fed, i);
        if (reference.kind != TERN_VALUE_STRING) continue;
        outputs[count] = result_tensor(t->run->ctx, got->items[i]);
        seeds[count++] = vectors_upload(t->file, reference.as.s, tern_none());
    }
    return count;
}

static void check_gradients(test_case *t, const module_inputs *in, tern_module *module,
                            const results *got) {
    tern_value wanted = tern_dict_get(t->json, "grads"), key, reference;
    tern_tensor *outputs[MOST_LEAVES], *seeds[MOST_LEAVES];
    tern_tensor *leaves[MOST_LEAVES], *gradients[MOST_LEAVES] = {NULL};
    int count = 0;
    for (size_t i = 0; tern_dict_at(wanted, i, &key, &reference) && count < MOST_LEAVES; i++) {
        leaves[count] = find_leaf(in, module, key.as.s);
        if (!leaves[count++]) {
            case_fail(t, "grad.%s: there is no such input or parameter", key.as.s);
            return;
        }
    }
    int n_outputs = gather_outputs(t, got, outputs, seeds);
    if (count == 0 || n_outputs == 0 || tern_error(t->run->ctx)[0]) return;
    if (tern_grad(outputs, n_outputs, leaves, count, seeds, TERN_ALLOW_UNUSED, gradients)) return;
    for (int i = 0; i < count; i++) {
        char label[LABEL_SIZE];
        tern_dict_at(wanted, (size_t)i, &key, &reference);
        snprintf(label, sizeof label, "grad.%s", key.as.s);
        tolerance limit = {.torch_error = case_error(t, label)};
        if (gradients[i])
            case_check(t, label, tern_tensor_value(gradients[i]), reference,
                       tern_dtype_of(leaves[i]), &limit);
        else
            case_fail(t, "%s: there is no gradient", label);
    }
}

/* Whether Tern has every module that the arguments name ({"module": NAME, "args": ...}). */
static bool has_inner_modules(tern_value args) {
    tern_value key, item;
    for (size_t i = 0; tern_dict_at(args, i, &key, &item); i++) {
        tern_value name = tern_dict_get(item, "module");
        if (name.kind != TERN_VALUE_STRING) continue;
        if (!tern_nn_class(name.as.s) || !has_inner_modules(tern_dict_get(item, "args")))
            return false;
    }
    return true;
}

static void run(test_case *t) {
    static module_inputs in; /* large, and one case runs at a time */
    static results got;
    tern_ctx *ctx = t->run->ctx;
    in.t = t;
    in.count = 0;
    if (!has_inner_modules(tern_dict_get(t->json, "args"))) {
        t->skip = NOT_IMPLEMENTED;
        return;
    }
    tern_value args = call_arguments(ctx, tern_dict_get(t->json, "args"), find_tensor, t);
    if (tern_dict_has(t->json, "seed"))
        tern_manual_seed(ctx, tern_value_as_int(tern_dict_get(t->json, "seed")));
    tern_module *module = tern_nn_make(ctx, vectors_name(t->file), args);
    if (!module) {
        case_fail(t, "no module: %s", tern_error(ctx));
        return;
    }
    check_initial_state(t, module);
    load_state(t, module);
    tern_module_train(module, tern_dict_get(t->json, "train").as.b);
    tern_value inputs = call_arguments(ctx, tern_dict_get(t->json, "inputs"), make_input, &in);
    if (tern_error(ctx)[0]) return;
    results_flatten(tern_module_call(module, NULL, 0, inputs), &got);
    if (tern_error(ctx)[0]) return;
    check_outputs(t, &got);
    check_changed_state(t, module);
    if (tern_dict_has(t->json, "grads")) check_gradients(t, &in, module, &got);
}

static bool has(tern_ctx *ctx, const char *name) {
    (void)ctx;
    return tern_nn_class(name) != NULL;
}

const suite suite_modules = {.folder = "modules", .has = has, .run = run};

/* optim/: optimizers fed with gradients step by step, and gradient clipping. */
#include "arguments.h"
#include "conformance.h"

#include "tern/grad.h"
#include "tern/ops.h"
#include "tern/optim.h"

#include <stdio.h>
#include <string.h>

enum { MOST_PARAMETERS = 16, MOST_STEPS = 64, LABEL_SIZE = 96 };

typedef struct parameters {
    size_t count;
    tern_tensor *tensors[MOST_PARAMETERS];
    tern_value list;
} parameters;

static tern_tensor *find_tensor(void *user, const char *name, const char *argument) {
    (void)argument;
    return vectors_upload(((test_case *)user)->file, name, tern_none());
}

/* The case's tensors under a key as leaves. */
static bool make_parameters(test_case *t, const char *key, parameters *out) {
    tern_value references = tern_dict_get(t->json, key);
    out->count = tern_value_count(references);
    out->list = tern_list_new(t->run->ctx);
    if (out->count > MOST_PARAMETERS) {
        case_fail(t, "%zu parameters, but at most %d are read", out->count, MOST_PARAMETERS);
        return false;
    }
    for (size_t i = 0; i < out->count; i++) {
        tern_value reference = tern_value_at(references, i);
        out->tensors[i] =
            tern_requires_grad(vectors_upload(t->file, reference.as.s, tern_none()), true);
        tern_list_append(out->list, tern_tensor_value(out->tensors[i]));
    }
    return tern_error(t->run->ctx)[0] == 0;
}

/* "groups": the parameters by index, the rest are options. */
static tern_value make_groups(test_case *t, const parameters *p) {
    tern_ctx *ctx = t->run->ctx;
    tern_value described = tern_dict_get(t->json, "groups"), groups = tern_list_new(ctx);
    if (!tern_dict_has(t->json, "groups")) return p->list;
    for (size_t g = 0; g < tern_value_count(described); g++) {
        tern_value options = call_arguments(ctx, tern_value_at(described, g), find_tensor, t);
        tern_value indices = tern_dict_get(options, "params"), members = tern_list_new(ctx);
        for (size_t i = 0; i < tern_value_count(indices); i++) {
            size_t index = (size_t)tern_value_as_int(tern_value_at(indices, i));
            if (index < p->count) tern_list_append(members, tern_tensor_value(p->tensors[index]));
        }
        tern_dict_set(options, "params", members);
        tern_list_append(groups, options);
    }
    return groups;
}

static void feed_gradients(test_case *t, const parameters *p, tern_value references) {
    for (size_t i = 0; i < p->count; i++) {
        tern_value reference = tern_value_at(references, i);
        tern_tensor *grad = reference.kind == TERN_VALUE_STRING
                                ? vectors_upload(t->file, reference.as.s, tern_none())
                                : NULL;
        tern_set_grad(p->tensors[i], grad);
    }
}

static void check_parameters(test_case *t, const parameters *p, tern_value references,
                             size_t step) {
    for (size_t i = 0; i < p->count; i++) {
        char key[LABEL_SIZE], label[LABEL_SIZE];
        snprintf(key, sizeof key, "after.%zu", i);
        snprintf(label, sizeof label, "step %zu, parameter %zu", step, i);
        tolerance limit = {.torch_error = case_error(t, key)};
        tern_tensor *plain = tern_detach(p->tensors[i]);
        case_check(t, label, tern_tensor_value(plain), tern_value_at(references, i),
                   tern_dtype_of(plain), &limit);
    }
}

/* State that is kept as a number (a step count) is a tensor in the state dict. */
static tern_value find_state(tern_optim *optim, size_t parameter, const char *name) {
    tern_tensor *tensor = tern_optim_state(optim, parameter, name);
    if (tensor) return tern_tensor_value(tensor);
    tern_value all = tern_dict_get(tern_optim_state_dict(optim), "state");
    return tern_dict_get(tern_dict_get_value(all, tern_int((int64_t)parameter)), name);
}

static void check_state(test_case *t, tern_optim *optim) {
    tern_value state = tern_dict_get(t->json, "state"), key, references;
    for (size_t s = 0; tern_dict_at(state, s, &key, &references); s++) {
        for (size_t i = 0; i < tern_value_count(references); i++) {
            char label[LABEL_SIZE];
            tern_value reference = tern_value_at(references, i);
            snprintf(label, sizeof label, "state.%s.%zu", key.as.s, i);
            tolerance limit = {.torch_error = case_error(t, label)};
            if (reference.kind != TERN_VALUE_STRING) continue;
            tern_value state_of = find_state(optim, i, key.as.s);
            if (state_of.kind == TERN_VALUE_TENSOR)
                case_check(t, label, state_of, reference, tern_dtype_of(state_of.as.tensor),
                           &limit);
            else
                case_fail(t, "%s: the optimizer keeps no such state", label);
        }
    }
}

/* ---- steps with a closure -------------------------------------------------------------------- */

/* A loss of the parameters, flattened one after another: "quadratic" or "rosenbrock". */
typedef struct problem {
    const parameters *all;
    tern_optim *optim;
    tern_tensor *a, *b; /* of the quadratic; NULL: rosenbrock */
    int64_t calls;
} problem;

/* 0.5 x A x - b x */
static tern_tensor *quadratic(const problem *p, tern_tensor *x) {
    tern_tensor *square = tern_mul_scalar(tern_matmul(x, tern_matmul(p->a, x)), 0.5);
    return tern_sub(square, tern_matmul(p->b, x));
}

/* The sum over i of 100 (x[i + 1] - x[i]^2)^2 + (1 - x[i])^2 */
static tern_tensor *rosenbrock(tern_tensor *x) {
    int64_t count = tern_numel(x) - 1;
    tern_tensor *low = tern_narrow(x, 0, 0, count), *high = tern_narrow(x, 0, 1, count);
    tern_tensor *valley = tern_square(tern_sub(high, tern_square(low)));
    tern_tensor *slope = tern_square(tern_rsub_scalar(low, 1));
    return tern_sum(tern_add(tern_mul_scalar(valley, 100), slope));
}

static tern_tensor *evaluate(void *user) {
    problem *p = user;
    tern_tensor *flat[MOST_PARAMETERS];
    p->calls++;
    tern_optim_zero_grad(p->optim);
    for (size_t i = 0; i < p->all->count; i++)
        flat[i] = tern_reshape(p->all->tensors[i], TERN_SHAPE(-1));
    tern_tensor *x = tern_cat(flat, (int)p->all->count, 0);
    tern_tensor *loss = p->a ? quadratic(p, x) : rosenbrock(x);
    tern_backward(loss);
    return loss;
}

static bool read_problem(test_case *t, problem *out_problem) {
    tern_value described = tern_dict_get(t->json, "problem");
    tern_value name = tern_dict_get(described, "name");
    if (name.kind == TERN_VALUE_STRING && strcmp(name.as.s, "rosenbrock") == 0) return true;
    if (name.kind != TERN_VALUE_STRING || strcmp(name.as.s, "quadratic") != 0) return false;
    out_problem->a = vectors_upload(t->file, tern_dict_get(described, "A").as.s, tern_none());
    out_problem->b = vectors_upload(t->file, tern_dict_get(described, "b").as.s, tern_none());
    return true;
}

/* Steps, each with the parameters and the number of evaluations that PyTorch has; then the losses. */
static void minimise(test_case *t, const parameters *all, tern_optim *optim) {
    problem p = {.all = all, .optim = optim};
    tern_ctx *ctx = t->run->ctx;
    tern_value after = tern_dict_get(t->json, "after");
    tern_value calls = tern_dict_get(t->json, "closure_calls");
    tern_dtype dtype = tern_dtype_of(all->tensors[0]);
    tern_tensor *losses[MOST_STEPS];
    size_t steps = tern_value_count(after);
    if (!read_problem(t, &p)) {
        t->skip = NOT_IMPLEMENTED;
        return;
    }
    if (steps > MOST_STEPS) {
        case_fail(t, "%zu steps, but at most %d are read", steps, MOST_STEPS);
        return;
    }
    for (size_t step = 0; step < steps && !t->failed; step++) {
        double loss;
        p.calls = 0;
        if (tern_optim_step_closure(optim, evaluate, &p, &loss) != TERN_OK) return;
        losses[step] = tern_scalar_tensor(ctx, loss, dtype);
        check_parameters(t, all, tern_value_at(after, step), step);
        tern_value wanted = tern_value_at(calls, step);
        if (wanted.kind == TERN_VALUE_INT && wanted.as.i != p.calls)
            case_fail(t, "step %zu: the closure was called %lld times, PyTorch calls it %lld times",
                      step, (long long)p.calls, (long long)wanted.as.i);
    }
    if (t->failed) return;
    tolerance limit = {.torch_error = case_error(t, "losses")};
    case_check(t, "losses", tern_tensor_value(tern_stack(losses, (int)steps, 0)),
               tern_dict_get(t->json, "losses"), dtype, &limit);
}

static void run_optimizer(test_case *t) {
    tern_ctx *ctx = t->run->ctx;
    parameters p;
    if (!make_parameters(t, "params", &p)) return;
    tern_value args = call_arguments(ctx, tern_dict_get(t->json, "args"), find_tensor, t);
    tern_optim *optim = tern_optim_make(ctx, make_groups(t, &p), vectors_name(t->file), args);
    if (tern_dict_has(t->json, "problem")) {
        minimise(t, &p, optim);
        return;
    }
    tern_value grads = tern_dict_get(t->json, "grad"), after = tern_dict_get(t->json, "after");
    for (size_t step = 0; step < tern_value_count(grads) && !t->failed; step++) {
        feed_gradients(t, &p, tern_value_at(grads, step));
        if (tern_optim_step(optim) != TERN_OK) return;
        check_parameters(t, &p, tern_value_at(after, step), step);
    }
    check_state(t, optim);
}

/* ---- clipping -------------------------------------------------------------------------------- */

static double number_argument(tern_value args, const char *name, double fallback) {
    return tern_dict_has(args, name) ? tern_value_as_double(tern_dict_get(args, name)) : fallback;
}

static void check_norm(test_case *t, tern_tensor *norm) {
    tolerance limit = {.torch_error = case_error(t, "out0")};
    tern_value reference = tern_value_at(tern_dict_get(t->json, "out"), 0);
    case_check(t, "out0", tern_tensor_value(norm), reference, tern_dtype_of(norm), &limit);
}

static void run_clip(test_case *t) {
    tern_ctx *ctx = t->run->ctx;
    parameters p;
    const char *name = tern_dict_get(t->json, "name").as.s;
    tern_value args = call_arguments(ctx, tern_dict_get(t->json, "args"), find_tensor, t);
    double norm_type = number_argument(args, "norm_type", 2);
    if (!make_parameters(t, "grad", &p)) return;
    feed_gradients(t, &p, tern_dict_get(t->json, "grad"));
    if (strcmp(name, "clip_grad_norm_") == 0) {
        check_norm(t, tern_clip_grad_norm(ctx, p.list, number_argument(args, "max_norm", 0),
                                          norm_type, false));
    } else if (strcmp(name, "get_total_norm") == 0) {
        tern_scope quiet = tern_scope_begin(ctx, TERN_NO_GRAD);
        check_norm(t, tern_total_norm(ctx, p.list, norm_type, false));
        tern_scope_end(quiet);
    } else if (strcmp(name, "clip_grad_value_") == 0) {
        tern_clip_grad_value(ctx, p.list, number_argument(args, "clip_value", 0));
    } else {
        t->skip = NOT_IMPLEMENTED;
        return;
    }
    for (size_t i = 0; i < p.count && !tern_error(ctx)[0]; i++) {
        char label[LABEL_SIZE];
        snprintf(label, sizeof label, "after.%zu", i);
        tolerance limit = {.torch_error = case_error(t, label)};
        tern_tensor *grad = tern_grad_of(p.tensors[i]);
        case_check(t, label, tern_tensor_value(grad),
                   tern_value_at(tern_dict_get(t->json, "after"), i), tern_dtype_of(grad), &limit);
    }
}

/* ---- suites ---------------------------------------------------------------------------------- */

static void run(test_case *t) {
    if (strcmp(vectors_name(t->file), "clip") == 0)
        run_clip(t);
    else
        run_optimizer(t);
}

static bool has(tern_ctx *ctx, const char *name) {
    const char *known;
    (void)ctx;
    if (strcmp(name, "clip") == 0) return true;
    for (size_t i = 0; (known = tern_optim_name_at(i)) != NULL; i++)
        if (strcmp(known, name) == 0) return true;
    return false;
}

const suite suite_optim = {.folder = "optim", .has = has, .run = run};

/* init: what each initialiser draws for a seed, bit for bit but for those that say otherwise. */
#include "arguments.h"
#include "conformance.h"

#include "tern/nn.h"

#include <math.h>
#include <string.h>

tern_value case_initialise(test_case *t, const char *name, tern_tensor *tensor, tern_value args) {
    tern_ctx *ctx = t->run->ctx;
    tern_value result = tern_init_call(ctx, name, tensor, args);
    if (tern_error(ctx)[0] && tern_check(ctx) == TERN_ERR_NOT_FOUND) {
        tern_error_clear(ctx);
        t->skip = NOT_IMPLEMENTED;
    }
    return result;
}

static tern_tensor *no_tensors(void *user, const char *name, const char *argument) {
    test_case *t = user;
    tern_fail(t->run->ctx, TERN_ERR_FORMAT, "'%s' of '@%s': an initialiser takes no tensors",
              argument, name);
    return NULL;
}

static void run(test_case *t) {
    tern_ctx *ctx = t->run->ctx;
    const char *name = tern_dict_get(t->json, "name").as.s;
    tern_value exact = tern_dict_get(t->json, "exact");
    tern_value args = call_arguments(ctx, tern_dict_get(t->json, "args"), no_tensors, t);
    tern_dtype dtype = dtype_of_text(tern_dict_get(t->json, "dtype"));
    tern_tensor *tensor = NULL;
    tern_shape shape;
    if (dtype == TERN_DTYPE_DEFAULT) dtype = TERN_FLOAT32;
    tern_manual_seed(ctx, tern_value_as_int(tern_dict_get(t->json, "seed")));
    if (shape_of_list(tern_dict_get(t->json, "shape"), &shape))
        tensor = tern_empty(ctx, shape, dtype);

    tern_value result = case_initialise(t, name, tensor, args);
    if (t->skip || tern_error(ctx)[0]) return;
    tolerance limit = {.torch_error = (double)NAN};
    if (tern_dict_has(t->json, "value")) {
        double got = tern_value_as_double(result);
        double right = tern_value_as_double(tern_dict_get(t->json, "value"));
        if (!(fabs(got - right) <= 1e-12 * fabs(right)))
            case_fail(t, "%s is %.17g, expected %.17g", name, got, right);
    } else if (exact.kind == TERN_VALUE_BOOL && !exact.as.b) {
        case_check(t, "out", result, tern_dict_get(t->json, "out"), dtype, &limit);
    } else {
        case_check_bits(t, "out", result, tern_dict_get(t->json, "out"));
    }
}

const suite suite_init = {.file = "init.safetensors", .run = run};

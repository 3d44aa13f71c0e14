/* random: sequences of draws from the default generator after manual_seed, bit for bit. */
#include "arguments.h"
#include "conformance.h"

#include "tern/io.h"
#include "tern/memory.h"
#include "tern/ops.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { NAME_SIZE = 96, ENDS = 64 };

static tern_tensor *find_tensor(void *user, const char *name, const char *argument) {
    (void)argument;
    return vectors_upload(((test_case *)user)->file, name, tern_none());
}

/* ---- calls that are no operations ------------------------------------------------------------ */

static tern_value get_state(tern_ctx *ctx) {
    uint8_t state[TERN_RNG_STATE_SIZE];
    tern_shape shape = {1, {TERN_RNG_STATE_SIZE}};
    tern_generator_get_state(tern_default_generator(ctx), state);
    return tern_tensor_value(tern_from_data(ctx, state, shape, TERN_UINT8));
}

static void set_state(test_case *t, tern_value args) {
    stored_tensor state;
    if (vectors_tensor(t->file, tern_dict_get(args, "state").as.s, &state))
        tern_generator_set_state(tern_default_generator(t->run->ctx), state.data, state.bytes);
}

/* True where the call was one of these. */
static bool call_generator(test_case *t, const char *name, tern_value args,
                           tern_value *out_result) {
    tern_ctx *ctx = t->run->ctx;
    *out_result = tern_none();
    if (strcmp(name, "manual_seed") == 0)
        tern_manual_seed(ctx, tern_value_as_int(tern_dict_get(args, "seed")));
    else if (strcmp(name, "set_state") == 0)
        set_state(t, args);
    else if (strcmp(name, "get_state") == 0)
        *out_result = get_state(ctx);
    else
        return false;
    return true;
}

/* ---- calls in place: a tensor of `size`, `dtype` and `strides` is filled --------------------- */

static tern_tensor *empty_tensor(tern_ctx *ctx, tern_value args) {
    tern_shape size, strides;
    tern_dtype dtype = dtype_of_text(tern_dict_get(args, "dtype"));
    if (dtype == TERN_DTYPE_DEFAULT) dtype = TERN_FLOAT32;
    if (!shape_of_list(tern_dict_get(args, "size"), &size)) return tern_nil(ctx);
    if (!shape_of_list(tern_dict_get(args, "strides"), &strides))
        return tern_empty(ctx, size, dtype);
    tern_shape flat = {1, {1}};
    for (int32_t d = 0; d < size.rank; d++) flat.dim[0] += (size.dim[d] - 1) * strides.dim[d];
    return tern_view_of_storage(tern_empty(ctx, flat, dtype), size, strides, 0);
}

static bool describes_target(const char *key) {
    return strcmp(key, "size") == 0 || strcmp(key, "dtype") == 0 || strcmp(key, "strides") == 0;
}

/* The arguments without those that describe the tensor itself. */
static tern_value own_arguments(test_case *t, tern_value args) {
    tern_value named = tern_dict_new(t->run->ctx, false);
    tern_value key, item;
    for (size_t i = 0; tern_dict_at(args, i, &key, &item); i++)
        if (!describes_target(key.as.s)) tern_dict_set(named, key.as.s, item);
    return call_arguments(t->run->ctx, named, find_tensor, t);
}

static tern_value fill_in_place(test_case *t, const char *name, tern_value args) {
    tern_ctx *ctx = t->run->ctx;
    tern_value target = tern_tensor_value(empty_tensor(ctx, args));
    tern_value named = own_arguments(t, args);
    if (tern_op_exists(name)) return tern_call(ctx, name, &target, 1, named);
    return case_initialise(t, name, target.as.tensor, named);
}

/* ---- a case ---------------------------------------------------------------------------------- */

static bool is_in_place(const char *name) {
    size_t length = strlen(name);
    return length > 0 && name[length - 1] == '_';
}

/* How Tern calls a function of the case: by its name, or in nn.functional. False where it has none. */
static bool find_function(const char *name, char *out_name, bool *out_functional) {
    snprintf(out_name, NAME_SIZE, "%s", name);
    *out_functional = false;
    if (tern_op_exists(name) || is_in_place(name)) return true;
    snprintf(out_name, NAME_SIZE, "nn.functional.%s", name);
    *out_functional = true;
    return tern_op_exists(out_name);
}

static tern_value call_function(test_case *t, const char *name, tern_value args, bool functional) {
    tern_ctx *ctx = t->run->ctx;
    if (is_in_place(name)) return fill_in_place(t, name, args);
    tern_value named = call_arguments(ctx, args, find_tensor, t);
    if (functional) tern_dict_set(named, "training", tern_bool(true));
    return tern_call(ctx, name, NULL, 0, named);
}

/* A long result: its ends, and the checksum of all. */
static void check_digest(test_case *t, tern_value call, const char *label, tern_value result) {
    tern_ctx *ctx = t->run->ctx;
    char digest[65];
    if (result.kind != TERN_VALUE_TENSOR) {
        case_fail(t, "%s: there is no tensor", label);
        return;
    }
    tern_tensor *flat = tern_flatten(result.as.tensor, 0, -1);
    int64_t count = tern_numel(flat);
    size_t bytes = (size_t)count * tern_dtype_size(tern_dtype_of(flat));
    void *data = tern_scope_alloc(ctx, bytes);
    if (!data || tern_to_host(flat, data, bytes) != TERN_OK) return;
    case_check_bits(t, label, tern_tensor_value(tern_narrow(flat, 0, 0, ENDS)),
                    tern_dict_get(call, "head"));
    case_check_bits(t, label, tern_tensor_value(tern_narrow(flat, 0, count - ENDS, ENDS)),
                    tern_dict_get(call, "tail"));
    tern_sha256_hex(data, bytes, digest);
    if (strcmp(digest, tern_dict_get(call, "sha256").as.s) != 0)
        case_fail(t, "%s: the sha256 of all elements is %s", label, digest);
}

static void check(test_case *t, tern_value call, const char *label, tern_value result) {
    tern_value exact = tern_dict_get(call, "exact");
    tern_value reference = tern_dict_get(call, "out");
    tolerance relative = {.torch_error = (double)NAN, .relative = 1e-13};
    if (tern_dict_has(call, "sha256"))
        check_digest(t, call, label, result);
    else if (reference.kind != TERN_VALUE_STRING)
        return;
    else if (exact.kind == TERN_VALUE_BOOL && !exact.as.b)
        case_check(t, label, result, reference, TERN_DTYPE_DEFAULT, &relative);
    else
        case_check_bits(t, label, result, reference);
}

static void run(test_case *t) {
    tern_ctx *ctx = t->run->ctx;
    tern_value calls = tern_dict_get(t->json, "calls");
    tern_manual_seed(ctx, tern_value_as_int(tern_dict_get(t->json, "seed")));
    for (size_t i = 0; i < tern_value_count(calls); i++) {
        char label[NAME_SIZE + 32], found[NAME_SIZE];
        bool functional;
        tern_value call = tern_value_at(calls, i), result;
        tern_value args = tern_dict_get(call, "args");
        const char *name = tern_dict_get(call, "name").as.s;
        snprintf(label, sizeof label, "call %zu, %s", i, name);
        if (!call_generator(t, name, args, &result) && !case_call_data(ctx, name, args, &result)) {
            if (!find_function(name, found, &functional)) {
                t->skip = NOT_IMPLEMENTED;
                return;
            }
            result = call_function(t, found, args, functional);
            if (t->skip) return;
        }
        if (tern_error(ctx)[0]) {
            case_fail(t, "%s: %s", label, tern_error(ctx));
            return;
        }
        check(t, call, label, result);
    }
}

const suite suite_random = {.file = "random.safetensors", .run = run};

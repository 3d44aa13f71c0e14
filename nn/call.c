/* call.c: running a module's forward. */
#include <stdio.h>
#include <string.h>

#include "module.h"

static tern_tensor *no_forward(tern_module *module) {
    tern_fail(module->inner->ctx, TERN_ERR_UNSUPPORTED,
              "Module [%s] is missing the required \"forward\" function", tern_module_name(module));
    return tern_nil(module->inner->ctx);
}

/* A forward that returns NULL has failed, whether it says so or not. */
static tern_tensor *checked(tern_module *module, tern_tensor *result) {
    if (result) return result;
    tern_fail(module->inner->ctx, TERN_ERR_INTERNAL, "%s: its forward returned NULL",
              tern_module_name(module));
    return tern_nil(module->inner->ctx);
}

/* Notes what goes through the module, where a summary asks for it. */
static void watch(tern_module *module, tern_value input, tern_value output) {
    tern_summary_row *row = module->inner->watch;
    while (output.kind == TERN_VALUE_TUPLE || output.kind == TERN_VALUE_LIST)
        output = tern_value_at(output, 0);
    if (!row || row->called || input.kind != TERN_VALUE_TENSOR || output.kind != TERN_VALUE_TENSOR)
        return;
    row->called = true;
    row->input = tern_shape_of(input.as.tensor);
    row->output = tern_shape_of(output.as.tensor);
}

static tern_tensor *run_forward(tern_module *module, tern_tensor *input) {
    tern_scope scope = tern_scope_inner(module->inner->ctx);
    tern_tensor *result = checked(module, module->cls->forward(module, input));
    watch(module, tern_tensor_value(input), tern_tensor_value(result));
    return tern_scope_return(scope, result);
}

/* ---- operations as forwards ------------------------------------------------------------------ */

tern_value tern_module_operation(tern_module *module, const char *name,
                                 const tern_value *positional, int n_positional, tern_value named) {
    tern_module_inner *inner = module->inner;
    tern_held_operation *held = inner->held;
    for (; held < inner->held + TERN_HELD_OPERATIONS && held->name; held++)
        if (held->name == name)
            return tern_invoke(inner->ctx, held->operation, positional, n_positional, named);
    tern_operation found = tern_find_operation(name);
    if (!found.first) return tern_call(inner->ctx, name, positional, n_positional, named);
    if (held < inner->held + TERN_HELD_OPERATIONS) *held = (tern_held_operation){name, found};
    return tern_invoke(inner->ctx, found, positional, n_positional, named);
}

#define MAX_NAME 64

/* The next word of a list of words, copied; false at its end. */
static bool next_word(const char **at, char *out_word) {
    *at += strspn(*at, " ");
    size_t length = strcspn(*at, " ");
    if (length == 0 || length >= MAX_NAME - 1) return false;
    memcpy(out_word, *at, length);
    out_word[length] = '\0';
    *at += length;
    return true;
}

/* The operation whose name begins `words`, in its in-place form where the module says so; a module
 * holds it by the address of its words, or of the byte behind for the other form. */
static tern_operation operation_of(tern_module *module, const char *words, bool in_place) {
    tern_held_operation *held = module->inner->held;
    for (; held < module->inner->held + TERN_HELD_OPERATIONS && held->name; held++)
        if (held->name == words + in_place) return held->operation;
    char name[MAX_NAME + 1];
    const char *at = words;
    if (!next_word(&at, name)) return (tern_operation){0, 0};
    if (in_place) strcat(name, "_");
    tern_operation found = tern_find_operation(name);
    if (held < module->inner->held + TERN_HELD_OPERATIONS)
        *held = (tern_held_operation){words + in_place, found};
    return found;
}

tern_value tern_nn_operation(tern_module *module, const char *words, const tern_value *args,
                             int n_args) {
    tern_module_inner *inner = module->inner;
    bool in_place = false;
    const char *at = words + strcspn(words, " ");
    char word[MAX_NAME];
    tern_value named = tern_dict_new(inner->ctx, false);
    while (next_word(&at, word)) {
        const tern_field *field = tern_field_find(module->cls->fields, word);
        if (strcmp(word, "training") == 0) {
            tern_dict_set(named, word, tern_bool(inner->training));
        } else if (field) {
            tern_value value = tern_field_get(inner->ctx, field, module);
            if (strcmp(word, "inplace") != 0)
                tern_dict_set(named, word, value);
            else
                in_place = value.as.b;
        }
    }
    return tern_invoke(inner->ctx, operation_of(module, words, in_place), args, n_args, named);
}

static const tern_schema *call_schema(tern_module *module) {
    tern_module_inner *inner = module->inner;
    if (inner->call_schema) return inner->call_schema;
    tern_scope scope = tern_owner_begin(inner->owner, 0);
    tern_schema *schema = scope.serial ? tern_scope_alloc(inner->ctx, sizeof *schema) : NULL;
    tern_scope_end(scope);
    if (!schema) return NULL;
    const char *text =
        module->cls->call_schema ? module->cls->call_schema : "forward(Tensor input)";
    if (!tern_schema_parse(text, schema)) {
        tern_fail(inner->ctx, TERN_ERR_INTERNAL, "%s: the description '%s' is malformed",
                  tern_module_name(module), text);
        return NULL;
    }
    inner->call_schema = schema;
    return schema;
}

static tern_value run_call(tern_module *module, const tern_value *positional, int n_positional,
                           tern_value named) {
    tern_ctx *ctx = module->inner->ctx;
    tern_value args[TERN_SCHEMA_MAX_ARGS];
    char message[400];
    const tern_schema *schema = call_schema(module);
    if (!schema) return tern_none();
    tern_scope scope = tern_scope_inner(ctx);
    if (!tern_schema_bind(ctx, schema, positional, n_positional, named, args, message,
                          sizeof message)) {
        tern_scope_end(scope);
        tern_fail(ctx, TERN_ERR_ARGUMENT, "%s.%s", tern_module_name(module), message);
        return tern_none();
    }
    tern_value result =
        module->cls->call ? module->cls->call(module, args)
                          : tern_nn_operation(module, module->cls->operation, args, schema->n_args);
    watch(module, args[0], result);
    return tern_scope_return_value(scope, result);
}

/* Any arguments and any result, unlike a class with `forward`. */
static bool has_call(const tern_module *module) {
    return module->cls->call || module->cls->operation;
}

/* The one tensor of a class with `forward`, given by position or as "input". */
static tern_tensor *only_input(tern_module *module, const tern_value *positional, int n_positional,
                               tern_value named) {
    tern_value input = n_positional == 1 ? positional[0] : tern_dict_get(named, "input");
    size_t given = (size_t)n_positional + tern_value_count(named);
    if (given == 1 && input.kind == TERN_VALUE_TENSOR) return input.as.tensor;
    tern_fail(module->inner->ctx, TERN_ERR_ARGUMENT,
              "%s.forward takes one tensor, input; %zu arguments were given",
              tern_module_name(module), given);
    return NULL;
}

static tern_value run_plain(tern_module *module, const tern_value *positional, int n_positional,
                            tern_value named) {
    if (has_call(module)) return run_call(module, positional, n_positional, named);
    if (!module->cls->forward) {
        no_forward(module);
        return tern_none();
    }
    tern_tensor *input = only_input(module, positional, n_positional, named);
    tern_tensor *result = input ? run_forward(module, input) : NULL;
    return result && !tern_is_nil(result) ? tern_tensor_value(result) : tern_none();
}

tern_value tern_module_run(tern_module *module, const tern_value *positional, int n_positional,
                           tern_value named) {
    if (!module->inner->n_computed) return run_plain(module, positional, n_positional, named);
    tern_value result = tern_none();
    tern_scope scope = tern_scope_inner(module->inner->ctx);
    const tern_computing *computing = module->inner->computing;
    if (computing->begin(module)) result = run_plain(module, positional, n_positional, named);
    computing->end(module);
    return tern_scope_return_value(scope, result);
}

/* ---- where an error arose -------------------------------------------------------------------- */

/* The innermost forward that is under way in this thread. */
static _Thread_local const tern_module_frame *innermost;

/* The names from a module down to another, with dots, at the end of `path`; false where it is not below. */
static bool find_path(const tern_module *from, const tern_module *to, char *path, size_t size) {
    size_t length = strlen(path);
    for (size_t i = 0; i < from->inner->n_children; i++) {
        const tern_child *child = &from->inner->children[i];
        snprintf(path + length, size - length, "%s%s", length ? "." : "", child->name);
        if (child->module == to || find_path(child->module, to, path, size)) return true;
    }
    path[length] = '\0';
    return false;
}

/* An error names the module that it arises in, below the one that was called: "2 (Linear): ...". */
static size_t place_of_error(void *user, char *out_text, size_t size) {
    const tern_module *outermost = user, *module = innermost->module;
    char path[256] = "";
    if (module == outermost || !find_path(outermost, module, path, sizeof path)) return 0;
    int length = snprintf(out_text, size, "%s (%s): ", path, module->inner->name);
    return length < (int)size ? (size_t)length : size - 1;
}

void tern_module_enter(tern_module_frame *frame, tern_module *module) {
    *frame = (tern_module_frame){module, innermost};
    innermost = frame;
    if (!frame->outer) tern_on_error_place(module->inner->ctx, place_of_error, module);
}

void tern_module_leave(const tern_module_frame *frame) {
    if (!frame->outer) tern_on_error_place(frame->module->inner->ctx, NULL, NULL);
    innermost = frame->outer;
}

/* Runs the module, which is there, in a context without an error. */
static tern_value call(tern_module *module, const tern_value *positional, int n_positional,
                       tern_value named) {
    tern_module_frame frame;
    tern_module_enter(&frame, module);
    tern_value result = module->inner->hooks
                            ? module->inner->run_hooked(module, positional, n_positional, named)
                            : tern_module_run(module, positional, n_positional, named);
    tern_module_leave(&frame);
    return result;
}

tern_value tern_module_call(tern_module *module, const tern_value *positional, int n_positional,
                            tern_value named) {
    if (!tern_module_there(module, "tern_module_call") || tern_latched(module->inner->ctx))
        return tern_none();
    if (n_positional > 0 &&
        !tern_argument_given(module->inner->ctx, "tern_module_call", "positional", positional))
        return tern_none();
    return call(module, positional, n_positional, named);
}

/* The tensor of a call that gives one. */
static tern_tensor *call_for_tensor(tern_module *module, const tern_value *args, int n_args) {
    tern_ctx *ctx = module->inner->ctx;
    tern_value result = call(module, args, n_args, tern_none());
    if (result.kind == TERN_VALUE_TENSOR) return result.as.tensor;
    if (!tern_latched(ctx))
        tern_fail(ctx, TERN_ERR_ARGUMENT, "%s.forward returns a %s: call it with tern_module_call",
                  tern_module_name(module), tern_kind_name(result.kind));
    return tern_nil(ctx);
}

tern_tensor *tern_forward(tern_module *module, tern_tensor *input) {
    if (!tern_module_there(module, "tern_forward"))
        return tern_nn_no_module(module, "tern_forward", input);
    tern_ctx *ctx = module->inner->ctx;
    if (tern_latched(ctx) || !tern_argument_tensor(ctx, tern_module_name(module), input))
        return tern_nil(ctx);
    tern_value args[] = {tern_tensor_value(input)};
    return call_for_tensor(module, args, 1);
}

tern_tensor *tern_forward2(tern_module *module, tern_tensor *first, tern_tensor *second) {
    if (!tern_module_there(module, "tern_forward2"))
        return tern_nn_no_module(module, "tern_forward2", first ? first : second);
    tern_ctx *ctx = module->inner->ctx;
    if (tern_latched(ctx) || !tern_argument_tensor(ctx, tern_module_name(module), first) ||
        !tern_argument_tensor(ctx, tern_module_name(module), second))
        return tern_nil(ctx);
    tern_value args[] = {tern_tensor_value(first), tern_tensor_value(second)};
    return call_for_tensor(module, args, 2);
}

#include <criterion/criterion.h>
#include <math.h>

#include "tern/context.h"
#include "tern/schema.h"

static tern_value bound[TERN_SCHEMA_MAX_ARGS];
static char message[512];

/* Binds with names from a dict; the message is "" where it worked. */
static const char *bind(tern_ctx *ctx, const char *text, const tern_value *positional, int count,
                        tern_value named) {
    static tern_schema schema;
    cr_assert(tern_schema_parse(text, &schema), "'%s' does not parse", text);
    bool ok =
        tern_schema_bind(ctx, &schema, positional, count, named, bound, message, sizeof message);
    cr_assert_eq(ok, message[0] == 0, "the message does not go with the result: '%s'", message);
    return message;
}

static tern_value named1(tern_ctx *ctx, const char *key, tern_value value) {
    tern_value dict = tern_dict_new(ctx, false);
    tern_dict_set(dict, key, value);
    return dict;
}

#define LINEAR "Linear(int in_features, int out_features, bool bias=True)"
#define SUM    "sum(Tensor input, int[]? dim=None, bool keepdim=False, *, dtype? dtype=None)"

Test(schema, parses_names_types_and_defaults) {
    tern_schema s;
    cr_assert(
        tern_schema_parse("max:dim(Tensor input, int dim, bool keepdim=False) -> Tensor", &s));
    cr_assert_str_eq(s.name, "max");
    cr_assert_eq(s.n_args, 3);
    cr_assert_str_eq(s.args[1].name, "dim");
    cr_assert_eq(s.args[0].types, TERN_TAKES_TENSOR);
    cr_assert(s.args[2].has_default && s.args[2].fallback.kind == TERN_VALUE_BOOL);
    cr_assert_not(s.args[1].has_default);
    cr_assert(
        tern_schema_parse("nn.functional.l1_loss(Tensor input, *, str reduction='a,b)')", &s));
    cr_assert_str_eq(s.name, "nn.functional.l1_loss");
    cr_assert(s.args[1].keyword_only);
    cr_assert_str_eq(s.args[1].fallback.as.s, "a,b)");
    cr_assert(tern_schema_parse("clamp(Tensor|Number? min=None, Tensor[] t)", &s));
    cr_assert_eq(s.args[0].types, TERN_TAKES_TENSOR | TERN_TAKES_NONE | TERN_TAKES_BOOL |
                                      TERN_TAKES_INT | TERN_TAKES_FLOAT);
    cr_assert_eq(s.args[1].types, TERN_TAKES_TENSORS);
    cr_assert(tern_schema_parse("ReLU()", &s));
    cr_assert_eq(s.n_args, 0);
}

Test(schema, refuses_malformed_descriptions) {
    static const char *const bad[] = {"",
                                      "f",
                                      "(int a)",
                                      "f(int a",
                                      "f(integer a)",
                                      "f(int)",
                                      "f(int a=)",
                                      "f(int a=x)",
                                      "f(int a,)",
                                      "f(int[] a=[1)",
                                      "f(int[] a=[1, x])",
                                      "f(int a=1 2)",
                                      "f(,)"};
    tern_schema s;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        cr_assert_not(tern_schema_parse(bad[i], &s), "'%s' parses", bad[i]);
}

Test(schema, binds_by_position_by_name_and_by_default) {
    tern_ctx *ctx = tern_open(NULL);
    const tern_value two[] = {tern_int(3), tern_int(4)};
    cr_assert_str_eq(bind(ctx, LINEAR, two, 2, tern_none()), "");
    cr_assert(bound[0].as.i == 3 && bound[1].as.i == 4 && bound[2].as.b);
    cr_assert_str_eq(bind(ctx, LINEAR, two, 2, named1(ctx, "bias", tern_bool(false))), "");
    cr_assert_not(bound[2].as.b);
    cr_assert_str_eq(bind(ctx, LINEAR, two, 1, named1(ctx, "out_features", tern_int(9))), "");
    cr_assert_eq(bound[1].as.i, 9);
    tern_close(ctx);
}

Test(schema, converts_what_python_would) {
    tern_ctx *ctx = tern_open(NULL);
    tern_value v = tern_int(3);
    bind(ctx, "f(float a)", &v, 1, tern_none());
    cr_assert(bound[0].kind == TERN_VALUE_FLOAT && bound[0].as.f == 3.0);
    bind(ctx, "f(int[] a)", &v, 1, tern_none());
    cr_assert(bound[0].kind == TERN_VALUE_INTS && bound[0].length == 1 && bound[0].as.ints[0] == 3);
    bind(ctx, "f(Number a)", &v, 1, tern_none());
    cr_assert_eq(bound[0].kind, TERN_VALUE_INT);
    v = tern_text("torch.float64");
    bind(ctx, "f(dtype a)", &v, 1, tern_none());
    cr_assert(bound[0].kind == TERN_VALUE_DTYPE && bound[0].as.dtype == TERN_FLOAT64);
    v = tern_text("-inf");
    bind(ctx, "f(Number a)", &v, 1, tern_none());
    cr_assert(bound[0].kind == TERN_VALUE_FLOAT && bound[0].as.f == -INFINITY);
    v = tern_tuple_new(ctx);
    tern_list_append(v, tern_int(1));
    tern_list_append(v, tern_float(0.5));
    bind(ctx, "f(float[] a)", &v, 1, tern_none());
    cr_assert_eq(bound[0].kind, TERN_VALUE_TUPLE);
    cr_assert_eq(tern_value_at(bound[0], 0).kind, TERN_VALUE_FLOAT);
    cr_assert_eq(tern_error_clear(ctx), TERN_OK);
    tern_close(ctx);
}

Test(schema, default_lists_are_made_when_they_are_bound) {
    tern_ctx *ctx = tern_open(NULL);
    cr_assert_str_eq(
        bind(ctx, "Adam(float[] betas=(0.9, 0.999), int[] k=[], int[] s=1, dtype d=torch.int8)",
             NULL, 0, tern_none()),
        "");
    cr_assert_eq(tern_value_count(bound[0]), 2);
    cr_assert_eq(tern_value_at(bound[0], 1).as.f, 0.999);
    cr_assert(bound[1].kind == TERN_VALUE_INTS && bound[1].length == 0);
    cr_assert(bound[2].kind == TERN_VALUE_INTS && bound[2].as.ints[0] == 1);
    cr_assert_eq(bound[3].as.dtype, TERN_INT8);
    tern_close(ctx);
}

Test(schema, messages_name_function_argument_and_types) {
    tern_ctx *ctx = tern_open(NULL);
    const tern_value many[] = {tern_int(1), tern_int(2), tern_bool(true), tern_int(4)};
    const tern_value text = tern_text("x"), real = tern_float(1.5), yes = tern_bool(true);
    cr_assert_str_eq(bind(ctx, LINEAR, many, 1, tern_none()),
                     "Linear: missing argument 'out_features' (int)");
    cr_assert_str_eq(bind(ctx, LINEAR, many, 4, tern_none()),
                     "Linear: takes at most 3 positional arguments (in_features, out_features, "
                     "bias), but 4 given");
    cr_assert_str_eq(bind(ctx, LINEAR, &real, 1, tern_none()),
                     "Linear: argument 'in_features' must be int, not float");
    cr_assert_str_eq(bind(ctx, LINEAR, &yes, 1, tern_none()),
                     "Linear: argument 'in_features' must be int, not bool");
    cr_assert_str_eq(bind(ctx, LINEAR, many, 2, named1(ctx, "in_features", tern_int(1))),
                     "Linear: argument 'in_features' is given twice, by position and by name");
    cr_assert_str_eq(bind(ctx, "add(Tensor|Number other)", &text, 1, tern_none()),
                     "add: argument 'other' must be Tensor or Number, not the str 'x'");
    cr_assert_str_eq(bind(ctx, "f(dtype? d)", &text, 1, tern_none()),
                     "f: argument 'd' must be dtype or None, not the str 'x'");
    tern_value list = tern_list_new(ctx);
    tern_list_append(list, tern_int(1));
    tern_list_append(list, tern_text("x"));
    cr_assert_str_eq(bind(ctx, "f(int[] size)", &list, 1, tern_none()),
                     "f: argument 'size' must be list of int, but its element 1 is str");
    cr_assert_str_eq(
        bind(ctx, SUM, many, 4, tern_none()),
        "sum: takes at most 3 positional arguments (input, dim, keepdim), but 4 given");
    tern_close(ctx);
}

Test(schema, an_unknown_name_gets_the_nearest) {
    tern_ctx *ctx = tern_open(NULL);
    const char *pool = "MaxPool2d(int kernel_size, int? stride=None, int padding=0)";
    cr_assert_str_eq(bind(ctx, pool, NULL, 0, named1(ctx, "kernal_size", tern_int(2))),
                     "MaxPool2d: no argument 'kernal_size'; did you mean 'kernel_size'?");
    cr_assert_str_eq(bind(ctx, pool, NULL, 0, named1(ctx, "quantity", tern_int(2))),
                     "MaxPool2d: no argument 'quantity'; there are kernel_size, stride, padding");
    cr_assert_str_eq(bind(ctx, "ReLU()", NULL, 0, named1(ctx, "x", tern_int(2))),
                     "ReLU: takes no arguments, but 'x' was given");
    tern_close(ctx);
}

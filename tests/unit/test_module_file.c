#define _GNU_SOURCE
#include "io_fixture.h"

#include "tern/nn.h"
#include "tern/ops.h"

/* The two models of the tutorial whose state dicts the samples hold. */

typedef struct line {
    tern_module module;
    tern_tensor *weights, *bias;
} line;

static tern_status line_init(tern_module *self) {
    tern_ctx *ctx = tern_module_context(self);
    tern_shape one = {1, {1}};
    tern_module_parameter(self, "weights", tern_randn(ctx, one, NULL));
    tern_module_parameter(self, "bias", tern_randn(ctx, one, NULL));
    return TERN_OK;
}

static tern_status layered_init(tern_module *self) {
    tern_module_child(self, "linear_layer", tern_nn(tern_module_context(self), "Linear(1, 1)"));
    return TERN_OK;
}

static tern_tensor *unused_forward(tern_module *self, tern_tensor *input) {
    (void)self;
    return input;
}

static const tern_module_class line_class = {TERN_MODULE_CLASS("Line()", line), .init = line_init,
                                             .forward = unused_forward};
static const tern_module_class layered_class = {TERN_MODULE_CLASS("Layered()", tern_module),
                                                .init = layered_init, .forward = unused_forward};

static void check_bytes(const char *path, const char *sample) {
    static unsigned char got[65536], want[65536];
    size_t size = slurp(sample, want);
    cr_assert_eq(slurp(path, got), size, "%s has another size", path);
    for (size_t i = 0; i < size; i++)
        cr_assert_eq(got[i], want[i], "byte %zu of %s is %02x", i, path, got[i]);
}

Test(module_file, modules_from_a_seed_are_saved_as_pytorch_saves_them) {
    const char *folder = make_folder();
    char path[512];
    tern_ctx *ctx = tern_open(NULL);
    tern_manual_seed(ctx, 42);
    tern_module *line_model = tern_module_new(ctx, &line_class, NULL);
    snprintf(path, sizeof path, "%s/01_pytorch_workflow_model_0.pth", folder);
    cr_assert_eq(tern_module_save(line_model, path), TERN_OK, "%s", tern_error(ctx));
    check_bytes(path, SAMPLE("01_pytorch_workflow_model_0.pth"));
    tern_module *layered = tern_module_new(ctx, &layered_class, NULL);
    snprintf(path, sizeof path, "%s/m1.pth", folder);
    cr_assert_eq(tern_module_save(layered, path), TERN_OK, "%s", tern_error(ctx));
    check_bytes(path, SAMPLE("m1.pth"));
    tern_close(ctx);
    cr_assert_eq(count_files(folder, true), 2);
}

Test(module_file, a_module_takes_a_file_whole_or_not_at_all) {
    tern_ctx *ctx = tern_open(NULL);
    tern_module *model = tern_module_new(ctx, &layered_class, NULL);
    tern_value state = tern_module_state_dict(model);
    tern_tensor *weight = tern_dict_get(state, "linear_layer.weight").as.tensor;
    cr_assert_eq(tern_module_load(model, SAMPLE("m1.pth")), TERN_OK, "%s", tern_error(ctx));
    double loaded = tern_item(weight);
    tern_value file = tern_value_load(ctx, SAMPLE("m1.pth"));
    cr_assert_eq(loaded, tern_item(tern_dict_get(file, "linear_layer.weight").as.tensor));
    static const char *const bad[] = {SAMPLE("tied.pth"), SAMPLE("code.pth"), SAMPLE("list.pt"),
                                      SAMPLE("absent.pth")};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        cr_assert_neq(tern_module_load(model, bad[i]), TERN_OK, "%s is taken", bad[i]);
        cr_assert_neq(tern_error_clear(ctx), TERN_OK);
        cr_assert_eq(tern_item(weight), loaded, "%s changed a weight", bad[i]);
    }
    cr_assert_eq(tern_module_load(NULL, bad[0]), TERN_ERR_ARGUMENT);
    cr_assert_eq(tern_module_save(NULL, bad[0]), TERN_ERR_ARGUMENT);
    tern_close(ctx);
}

Test(module_file, tied_weights_stay_tied) {
    tern_ctx *ctx = tern_open(NULL);
    const char *folder = make_folder();
    char path[512];
    tern_module *model = tern_nn(ctx, "Sequential(Linear(3, 3, bias=False), Linear(3, 3))");
    cr_assert_not_null(model, "%s", tern_error(ctx));
    tern_value state = tern_module_state_dict(model), key, item;
    tern_value tied = tern_dict_new(ctx, true);
    tern_dict_set(tied, "a", tern_dict_get(state, "0.weight"));
    tern_dict_set(tied, "b", tern_tensor_value(tern_t(tern_dict_get(state, "0.weight").as.tensor)));
    snprintf(path, sizeof path, "%s/t.pth", folder);
    cr_assert_eq(tern_value_save(ctx, tied, path), TERN_OK, "%s", tern_error(ctx));
    tern_value back = tern_value_load(ctx, path);
    cr_assert(tern_shares_storage(tern_dict_get(back, "a").as.tensor,
                                  tern_dict_get(back, "b").as.tensor));
    for (size_t i = 0; tern_dict_at(state, i, &key, &item); i++)
        cr_assert_eq(item.kind, TERN_VALUE_TENSOR);
    tern_close(ctx);
    cr_assert_eq(count_files(folder, true), 1);
}

/* Deep copies of modules and optimizers. */
#include "nn_fixture.h"
#include "tern/state.h"

TestSuite(copy, .init = open_context, .fini = close_context);

static void same_state(tern_module *a, tern_module *b) {
    tern_value x = tern_module_state_dict(a), y = tern_module_state_dict(b), key, item;
    cr_assert_eq(tern_value_count(x), tern_value_count(y));
    for (size_t i = 0; tern_dict_at(x, i, &key, &item); i++) {
        tern_value other_key, other;
        tern_dict_at(y, i, &other_key, &other);
        cr_assert_str_eq(key.as.s, other_key.as.s);
        cr_assert(tern_equal(item.as.tensor, other.as.tensor), "%s", key.as.s);
        cr_assert_not(tern_shares_storage(item.as.tensor, other.as.tensor), "%s", key.as.s);
    }
}

static tern_module *checked_copy(tern_module *m) {
    tern_module *copy = tern_module_copy(m);
    CHECK_CLEAN();
    cr_assert_str_eq(repr_of(tern_text(tern_module_repr_text(m))),
                     repr_of(tern_text(tern_module_repr_text(copy))));
    same_state(m, copy);
    return copy;
}

Test(copy, every_kind_of_layer_is_copied) {
    const char *const texts[] = {
        "Sequential(Linear(3, 4), ReLU(), BatchNorm1d(4), Linear(4, 2, bias=False))",
        "Sequential(Conv2d(1, 2, 3, padding=1), GroupNorm(1, 2), MaxPool2d(2))",
        "LSTM(3, 4, num_layers=2, bidirectional=True, proj_size=2)",
        "TransformerEncoder(TransformerEncoderLayer(8, 2, 16), 2)",
        "Transformer(8, 2, 1, 1, 16)",
        "MultiheadAttention(8, 2, kdim=4, vdim=4)",
        "Sequential(Embedding(5, 3, padding_idx=-1), PReLU(), Bilinear(3, 3, 2))",
        "ModuleList([GRUCell(2, 3), LayerNorm(3), InstanceNorm2d(2, affine=True)])",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        tern_manual_seed(ctx, 5);
        tern_module *m = tern_nn(ctx, texts[i]);
        tern_module_eval(m);
        cr_assert_not(tern_module_is_training(checked_copy(m)));
    }
}

Test(copy, no_random_number_is_drawn) {
    tern_module *m = tern_nn(ctx, "Linear(3, 4)");
    tern_manual_seed(ctx, 9);
    double first = at(tern_rand(ctx, TERN_SHAPE(1), NULL), 0);
    tern_manual_seed(ctx, 9);
    tern_module_copy(m);
    cr_assert_eq(at(tern_rand(ctx, TERN_SHAPE(1), NULL), 0), first);
    CHECK_CLEAN();
}

Test(copy, changes_ties_and_freezing_are_copied) {
    tern_module *m =
        tern_nn(ctx, "Sequential(Embedding(10, 4), Linear(4, 10, bias=False), ReLU())");
    tern_module_tie(m, "1.weight", "0.weight");
    tern_module_child(m, "2", tern_nn(ctx, "Linear(10, 2)"));
    tern_module_requires_grad(tern_module_get(m, "2"), false);
    tern_module_remove(m, "2.bias");
    tern_module *copy = checked_copy(m);
    cr_assert_eq(tern_module_tensor(copy, "1.weight"), tern_module_tensor(copy, "0.weight"));
    cr_assert_eq(tern_module_count_parameters(copy), 60);
    cr_assert_not(tern_has_grad_required(tern_module_tensor(copy, "2.weight")));
    cr_assert(tern_has_grad_required(tern_module_tensor(copy, "0.weight")));
    tern_module_to_dtype(m, TERN_FLOAT64);
    cr_assert_eq(tern_dtype_of(tern_module_tensor(checked_copy(m), "0.weight")), TERN_FLOAT64);
}

/* ---- a class of the program's own ------------------------------------------------------------ */

typedef struct counted {
    tern_module module;
    int64_t width;
    int calls; /* neither an argument nor registered */
    tern_module *first, *shared;
    tern_tensor *scale;
} counted;

static const tern_field counted_fields[] = {TERN_FIELD(counted, width, width), TERN_FIELD_END};

static tern_status counted_init(tern_module *self) {
    counted *m = (counted *)self;
    m->first = tern_module_child(self, "first", tern_nn_linear(ctx, m->width, m->width, NULL));
    m->shared = tern_module_child(self, "shared", m->first);
    tern_module_member(self, "first", &m->first);
    tern_module_member(self, "shared", &m->shared);
    m->scale = tern_module_parameter(self, "scale", tern_randn(ctx, TERN_SHAPE(1), NULL));
    return TERN_OK;
}

static tern_tensor *counted_forward(tern_module *self, tern_tensor *x) {
    counted *m = (counted *)self;
    m->calls++;
    return tern_mul(tern_forward(m->shared, tern_forward(m->first, x)), m->scale);
}

static void counted_copied(tern_module *self, const tern_module *source) {
    ((counted *)self)->calls = ((const counted *)source)->calls;
}

static const tern_module_class counted_class = {
    TERN_MODULE_CLASS("Counted(int width)", counted), .fields = counted_fields,
    .init = counted_init, .forward = counted_forward, .copied = counted_copied};

Test(copy, a_module_of_the_programs_own_computes_the_same) {
    tern_module *m = tern_module_new(ctx, &counted_class, &(counted){.width = 3});
    tern_tensor *x = tern_randn(ctx, TERN_SHAPE(2, 3), NULL);
    tern_forward(m, x);
    tern_module *copy = checked_copy(m);
    const counted *c = (counted *)copy;
    cr_assert(c->calls == 1 && c->width == 3 && c->first == c->shared);
    cr_assert_neq(c->first, ((counted *)m)->first);
    cr_assert(tern_equal(tern_forward(m, x), tern_forward(copy, x)));
    /* Another child where the class makes a Linear(3, 3), and no gradients in the copy. */
    tern_backward(tern_sum(tern_forward(m, x)));
    tern_module_child(m, "shared", tern_nn(ctx, "Linear(3, 5)"));
    copy = checked_copy(m);
    cr_assert(tern_equal(tern_forward(m, x), tern_forward(copy, x)));
    cr_assert_null(tern_grad_of(tern_module_tensor(copy, "scale")));
    CHECK_CLEAN();
}

/* ---- optimizers ------------------------------------------------------------------------------ */

static void train(tern_module *m, tern_optim *o, int steps) {
    tern_tensor *x = tern_reshape(tern_arange(ctx, 0, 6, 1), TERN_SHAPE(2, 3));
    for (int i = 0; i < steps; i++) {
        tern_scope scope = tern_scope_begin(ctx, 0);
        tern_optim_zero_grad(o);
        tern_backward(tern_sum(tern_square(tern_forward(m, x))));
        tern_optim_step(o);
        tern_scope_end(scope);
    }
}

Test(copy, an_optimizers_copy_goes_on_alike) {
    const char *const texts[] = {"Adam(lr=0.1)", "SGD(lr=0.001, momentum=0.9)", "RMSprop(lr=0.01)"};
    for (size_t i = 0; i < 3; i++) {
        tern_module *m = tern_nn(ctx, "Linear(3, 2)");
        tern_optim *o = tern_optim_new(m, texts[i]);
        train(m, o, 2);
        tern_optim_set(o, 0, "lr", tern_float(0.002));
        tern_module *copy = checked_copy(m);
        tern_optim *own = tern_optim_copy(o, m, copy);
        CHECK_CLEAN();
        cr_assert_eq(tern_optim_parameter(own, 1), tern_module_tensor(copy, "bias"));
        cr_assert_float_eq(tern_optim_get(own, 0, "lr").as.f, 0.002, 0);
        train(m, o, 2);
        train(copy, own, 2);
        same_state(m, copy);
    }
    tern_module *m = tern_nn(ctx, "Linear(3, 2)"), *other = tern_nn(ctx, "Linear(3, 2)");
    cr_assert_null(tern_optim_copy(tern_optim_new(other, "SGD()"), m, m));
    CHECK_ERROR("tern_optim_copy: SGD has a parameter that is not the module's");
}

Test(copy, a_copy_without_memory_leaves_nothing_behind) {
    tern_module *m = tern_nn(ctx, "Sequential(Linear(8, 8), LSTM(8, 4), BatchNorm1d(4))");
    tern_optim *o = tern_optim_new(tern_module_get(m, "0"), "Adam()");
    train(tern_nn(ctx, "Linear(3, 2)"), o, 1);
    uint64_t before = tern_stats_of(ctx).device_bytes;
    for (uint64_t n = 1;; n++) {
        tern_fail_allocation(n);
        tern_module *copy = tern_module_copy(m);
        tern_optim *own = copy ? tern_optim_copy(o, m, copy) : NULL;
        tern_fail_allocation(0);
        if (own) break;
        cr_assert_eq(tern_error_clear(ctx), TERN_ERR_OUT_OF_MEMORY);
        tern_module_free(copy);
        cr_assert_eq(tern_stats_of(ctx).device_bytes, before);
        cr_assert_lt(n, 100000);
    }
    CHECK_CLEAN();
}

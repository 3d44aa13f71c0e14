#include <math.h>

#include "nn_fixture.h"
#include "tern/data.h"
#include "tern/memory.h"

static bool get_index(void *user, int64_t index, void *const *out_fields) {
    if (user && index == *(int64_t *)user) return false;
    memcpy(out_fields[0], &index, sizeof index);
    return true;
}

/* range(n): sample i is i. */
static tern_dataset *range_of(int64_t n, int64_t *bad) {
    tern_sample_field field = {TERN_INT64, {0, {0}}};
    return tern_dataset_new(ctx, n, &field, 1, get_index, bad);
}

static void check_epoch(tern_loader *loader, const int64_t *wanted, int64_t count) {
    tern_tensor *batch;
    int64_t seen = 0;
    tern_loader_begin(loader);
    while (tern_loader_next(loader, &batch))
        for (int64_t i = 0; i < tern_numel(batch); i++, seen++)
            cr_assert_eq((int64_t)at(batch, i), wanted[seen], "element %d", (int)seen);
    CHECK_CLEAN();
    cr_assert_eq(seen, count, "%d samples came", (int)seen);
}

/* torch.utils.data.DataLoader(range(10), 4, shuffle=True) after manual_seed(42). */
static const int64_t epochs[2][10] = {{8, 0, 9, 1, 4, 5, 6, 3, 2, 7},
                                      {4, 6, 9, 3, 7, 5, 2, 0, 1, 8}};

Test(data_loader, order_is_that_of_pytorch_with_and_without_workers) {
    for (int workers = 0; workers <= 3; workers++) {
        open_context();
        tern_loader_options o = TERN_LOADER_OPTIONS;
        o.batch_size = 4;
        o.shuffle = true;
        o.num_workers = workers;
        tern_manual_seed(ctx, 42);
        tern_loader *loader = tern_loader_new(range_of(10, NULL), &o);
        cr_assert_eq(tern_loader_length(loader), 3);
        check_epoch(loader, epochs[0], 10);
        check_epoch(loader, epochs[1], 10);
        close_context();
    }
}

Test(data_loader, drop_last_and_a_stopped_epoch_leave_whole_batches) {
    static const int64_t in_order[] = {0, 1, 2, 3, 4, 5, 6, 7};
    open_context();
    tern_loader_options o = TERN_LOADER_OPTIONS;
    o.batch_size = 4;
    o.drop_last = true;
    o.num_workers = 2;
    tern_loader *loader = tern_loader_new(range_of(10, NULL), &o);
    tern_tensor *batch;
    tern_loader_begin(loader);
    cr_assert(tern_loader_next(loader, &batch));
    check_epoch(loader, in_order, 8);
    cr_assert_not(tern_loader_next(loader, &batch), "a batch past the end");
    close_context();
}

Test(data_loader, batches_of_tensors_stack_every_field) {
    open_context();
    tern_tensor *both[] = {tern_reshape(tern_arange(ctx, 0, 10, 1), TERN_SHAPE(5, 2)),
                           tern_arange_i64(ctx, 5)};
    tern_dataset *data = tern_tensor_dataset_new(ctx, both, 2);
    tern_loader_options o = TERN_LOADER_OPTIONS;
    o.batch_size = 3;
    tern_loader *loader = tern_loader_new(data, &o);
    tern_tensor *batch[2];
    size_t count;
    tern_loader_begin(loader);
    cr_assert(tern_loader_next(loader, batch) && tern_loader_next(loader, batch));
    cr_assert(tern_size(batch[0], 0) == 2 && tern_size(batch[0], 1) == 2);
    cr_assert(at(batch[0], 3) == 9 && at(batch[1], 1) == 4);
    cr_assert_eq(tern_loader_indices(loader, &count)[1], 4);
    cr_assert_eq(count, 2);
    cr_assert_eq(tern_dataset_get(data, 1, batch), TERN_OK);
    cr_assert(tern_rank(batch[1]) == 0 && at(batch[0], 1) == 3);
    CHECK_CLEAN();
    close_context();
}

Test(data_loader, a_sample_that_fails_is_named_once) {
    int64_t bad = 5;
    for (int workers = 0; workers <= 2; workers++) {
        open_context();
        tern_loader_options o = TERN_LOADER_OPTIONS;
        o.batch_size = 2;
        o.num_workers = workers;
        tern_loader *loader = tern_loader_new(range_of(10, &bad), &o);
        tern_tensor *batch;
        int batches = 0;
        tern_loader_begin(loader);
        while (tern_loader_next(loader, &batch)) batches++;
        cr_assert_eq(batches, 2);
        CHECK_ERROR("DataLoader: batch 2: sample 5 of 10 cannot be read");
        close_context();
    }
}

/* list(sampler), whose generator has the seed 7. */
static void check_order(tern_sampler *sampler, const int64_t *wanted, int64_t count) {
    int64_t order[40];
    cr_assert_eq(tern_sampler_length(sampler), count);
    cr_assert_eq(tern_sampler_draw(sampler, order), TERN_OK, "%s", tern_error(ctx));
    for (int64_t i = 0; i < count; i++)
        cr_assert_eq(order[i], wanted[i], "element %d: %d", (int)i, (int)order[i]);
}

/* RandomSampler(range(10), ...), SubsetRandomSampler and WeightedRandomSampler of PyTorch, after manual_seed(7). */
Test(data_loader, samplers_draw_pytorchs_orders) {
    static const int64_t some[] = {3, 1, 4, 15, 9, 2, 6};
    static const double weights[] = {0.1, 3, 0, 2, 0.5, 1};
    open_context();
    tern_generator *g = tern_generator_new(ctx);
    tern_generator_seed(g, 7);
    check_order(tern_random_sampler_new(ctx, 10, true, 40, g),
                (int64_t[]){5, 2, 1, 6, 3, 7, 7, 9, 8, 1, 8, 1, 8, 7, 2, 0, 6, 2, 3, 8,
                            6, 0, 5, 1, 8, 8, 3, 7, 0, 8, 1, 0, 6, 3, 5, 6, 6, 7, 5, 0},
                40);
    tern_generator_seed(g, 7);
    check_order(tern_random_sampler_new(ctx, 10, false, 13, g),
                (int64_t[]){5, 0, 3, 4, 1, 7, 9, 6, 8, 2, 1, 8, 9}, 13);
    tern_generator_seed(g, 7);
    check_order(tern_subset_random_sampler_new(ctx, some, 7, g), (int64_t[]){2, 3, 15, 1, 4, 6, 9},
                7);
    tern_generator_seed(g, 7);
    check_order(tern_weighted_random_sampler_new(ctx, weights, 6, 8, true, g),
                (int64_t[]){1, 1, 5, 3, 5, 4, 1, 3}, 8);
    tern_generator_seed(g, 7);
    check_order(tern_weighted_random_sampler_new(ctx, weights, 6, 4, false, g),
                (int64_t[]){1, 3, 5, 0}, 4);
    CHECK_CLEAN();
    close_context();
}

Test(data_loader, wrong_options_say_what_to_choose) {
    open_context();
    tern_loader_options o = TERN_LOADER_OPTIONS;
    o.batch_size = 0;
    cr_assert_null(tern_loader_new(range_of(3, NULL), &o));
    CHECK_ERROR_HAS("batch_size should be a positive integer value");
    o.batch_size = 1;
    o.num_workers = -1;
    cr_assert_null(tern_loader_new(range_of(3, NULL), &o));
    CHECK_ERROR_HAS("choose 0 to 64");
    cr_assert_null(tern_random_sampler_new(ctx, 0, false, 0, NULL));
    CHECK_ERROR_HAS("positive integer");
    o.batch_size = 4;
    o.num_workers = 0;
    cr_assert_null(tern_loader_new(range_of(INT64_MAX / 2, NULL), &o));
    CHECK_ERROR_HAS("an epoch of 4611686018427387903 is too long");
    tern_loader_options zero = {0};
    cr_assert_null(tern_loader_new(range_of(3, NULL), &zero));
    CHECK_ERROR_HAS("DataLoader: the options' size is 0: start from their initialiser macro");
    int64_t outside = 3;
    cr_assert_null(tern_subset_new(range_of(3, NULL), &outside, 1));
    CHECK_ERROR_HAS("index 3 is outside the 3 samples");
    close_context();
}

Test(data_split, parts_are_those_of_pytorch) {
    static const int64_t wanted[] = {2, 6, 1, 8, 4, 5, 0, 9, 3, 7};
    open_context();
    tern_generator *generator = tern_generator_new(ctx);
    tern_generator_seed(generator, 42);
    tern_dataset *parts[3];
    double lengths[] = {8, 2}, fractions[] = {0.55, 0.25, 0.2}, wrong[] = {8, 3};
    tern_random_split(range_of(10, NULL), lengths, 2, generator, parts);
    CHECK_CLEAN();
    for (int i = 0; i < 10; i++)
        cr_assert_eq(tern_subset_indices(parts[i / 8])[i % 8], wanted[i], "index %d", i);
    tern_random_split(range_of(10, NULL), fractions, 3, NULL, parts);
    cr_assert(tern_dataset_length(parts[0]) == 6 && tern_dataset_length(parts[1]) == 2);
    tern_random_split(range_of(10, NULL), wrong, 2, NULL, parts);
    CHECK_ERROR(
        "random_split: Sum of input lengths does not equal the length of the input dataset!");
    close_context();
}

Test(data_metrics, count_what_is_right) {
    static const float scores[] = {0, 2, 1, 3, 1, 3, 0, 0, NAN};
    static const int64_t targets[] = {2, 0, 1};
    open_context();
    tern_tensor *x = floats(TERN_SHAPE(3, 3), scores);
    tern_tensor *t = tern_from_data(ctx, targets, TERN_SHAPE(3), TERN_INT64);
    cr_assert_float_eq(tern_accuracy(x, t), 1.0 / 3, 1e-15);
    cr_assert_float_eq(tern_topk_accuracy(x, t, 2), 2.0 / 3, 1e-15);
    tern_tensor *matrix = tern_confusion_matrix(x, t);
    static const double wanted[] = {1, 0, 0, 0, 0, 1, 0, 1, 0};
    for (int i = 0; i < 9; i++) cr_assert_eq(at(matrix, i), wanted[i], "cell %d", i);
    CHECK_CLEAN();
    cr_assert(isnan(tern_accuracy(t, t)));
    CHECK_ERROR_HAS("scores must be [N, C] and target [N]");
    close_context();
}

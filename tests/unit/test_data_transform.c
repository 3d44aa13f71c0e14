#include "nn_fixture.h"
#include "tern/data.h"

/* Six pictures uint8 [4, 5] of 0, 1, 2, ... and their numbers. */
static tern_dataset *pictures(void) {
    tern_tensor *both[2] = {
        tern_to_dtype(tern_reshape(tern_arange(ctx, 0, 120, 1), TERN_SHAPE(6, 4, 5)), TERN_UINT8),
        tern_arange_i64(ctx, 6)};
    return tern_tensor_dataset_new(ctx, both, 2);
}

static tern_tensor *first_of(const char *transforms) {
    tern_tensor *sample[2] = {NULL, NULL};
    tern_dataset_get(tern_transformed_new(pictures(), 0, transforms), 0, sample);
    return sample[0];
}

Test(data_transform, to_tensor_scales_bytes_and_puts_channels_first) {
    open_context();
    tern_tensor *one = first_of("ToTensor()");
    CHECK_CLEAN();
    cr_assert(tern_rank(one) == 3 && tern_size(one, 0) == 1 && tern_size(one, 2) == 5);
    cr_assert_eq((float)at(one, 7), 7.0f / 255.0f);
    tern_tensor *color = tern_reshape(tern_arange(ctx, 0, 12, 1), TERN_SHAPE(1, 2, 2, 3));
    tern_tensor *sample;
    tern_dataset *data =
        tern_transformed_new(tern_tensor_dataset_new(ctx, &color, 1), 0, "Compose([ToTensor()])");
    tern_dataset_get(data, 0, &sample);
    CHECK_CLEAN();
    cr_assert(tern_size(sample, 0) == 3 && tern_size(sample, 1) == 2);
    cr_assert(at(sample, 0) == 0 && at(sample, 1) == 3 && at(sample, 4) == 1);
    close_context();
}

/* (x / 255 - 0.1) / 0.5 in float32, as torchvision. */
Test(data_transform, normalize_subtracts_and_divides_each_channel) {
    open_context();
    tern_tensor *one = first_of("Compose([ToTensor(), Normalize(mean=[0.1], std=[0.5])])");
    CHECK_CLEAN();
    cr_assert_eq((float)at(one, 9), (9.0f / 255.0f - 0.1f) / 0.5f);
    tern_tensor *x = tern_ones(ctx, TERN_SHAPE(1, 2, 1, 1), TERN_FLOAT32), *sample;
    tern_dataset *data =
        tern_transformed_new(tern_tensor_dataset_new(ctx, &x, 1), 0, "Normalize((0.5, 0), (1, 4))");
    tern_dataset_get(data, 0, &sample);
    CHECK_CLEAN();
    cr_assert(at(sample, 0) == 0.5 && at(sample, 1) == 0.25);
    close_context();
}

Test(data_transform, flips_turn_the_last_two_dimensions) {
    open_context();
    tern_tensor *x = first_of("RandomHorizontalFlip(p=1)"), *y = first_of("RandomVerticalFlip(1)");
    cr_assert(at(x, 0) == 4 && at(x, 4) == 0 && at(x, 5) == 9);
    cr_assert(at(y, 0) == 15 && at(y, 15) == 0);
    cr_assert_eq(at(first_of("RandomHorizontalFlip(p=0)"), 4), 4);
    CHECK_CLEAN();
    close_context();
}

Test(data_transform, crops_cut_and_pad_with_zeros) {
    open_context();
    tern_tensor *middle = first_of("CenterCrop(2)"), *wide = first_of("CenterCrop((2, 4))");
    /* torchvision: top = round(2 / 2), left = round(3 / 2) = 2; round(1 / 2) = 0 */
    cr_assert(tern_size(middle, 1) == 2 && at(middle, 0) == 7 && at(middle, 3) == 13);
    cr_assert(tern_size(wide, 1) == 4 && at(wide, 0) == 5);
    int zeros[2] = {0, 0};
    for (int i = 0; i < 30; i++) {
        tern_tensor *x = first_of("RandomCrop((4, 5), padding=1)");
        zeros[at(x, 7) == 0]++;
        cr_assert(at(x, 7) == 0 || at(x, 8) == 0 || at(x, 8) == at(x, 7) + 1);
    }
    CHECK_CLEAN();
    cr_assert_lt(zeros[1], 30, "the middle of a picture is never outside of it");
    cr_assert_eq(tern_size(first_of("RandomCrop(3)"), 0), 3);
    close_context();
}

/* All pixels of an epoch in the order of the samples. */
static void epoch_of(int workers, int64_t batch_size, double out[6][6]) {
    open_context();
    tern_manual_seed(ctx, 3);
    tern_dataset *data = tern_transformed_new(
        pictures(), 0, "Compose([RandomCrop((2, 3), padding=1), RandomHorizontalFlip()])");
    tern_loader_options o = TERN_LOADER_OPTIONS;
    o.batch_size = batch_size;
    o.shuffle = true;
    o.num_workers = workers;
    tern_loader *loader = tern_loader_new(data, &o);
    tern_tensor *batch[2];
    int seen = 0;
    tern_loader_begin(loader);
    while (tern_loader_next(loader, batch)) {
        int64_t count = tern_size(batch[0], 0);
        tern_to_doubles(batch[0], &out[seen][0], (size_t)count * 6);
        seen += (int)count;
    }
    CHECK_CLEAN();
    cr_assert_eq(seen, 6);
    close_context();
}

Test(data_transform, an_epoch_is_the_same_for_any_workers_and_batch_size) {
    double alone[6][6], other[6][6];
    epoch_of(0, 2, alone);
    epoch_of(3, 2, other);
    cr_assert_arr_eq(alone, other, sizeof alone);
    epoch_of(2, 5, other);
    cr_assert_arr_eq(alone, other, sizeof alone);
}

Test(data_transform, parts_of_changed_data_are_changed_too) {
    open_context();
    int64_t last = 5;
    tern_tensor *sample[2];
    tern_dataset *part =
        tern_subset_new(tern_transformed_new(pictures(), 0, "RandomHorizontalFlip(p=1)"), &last, 1);
    tern_dataset_get(part, 0, sample);
    CHECK_CLEAN();
    cr_assert(at(sample[0], 0) == 104 && at(sample[1], 0) == 5);
    tern_sample_field field;
    cr_assert(tern_dataset_field(part, 0, &field) && field.dtype == TERN_UINT8);
    close_context();
}

Test(data_transform, what_is_wrong_is_named) {
    static const char *const bad[][2] = {
        {"Blur()", "transforms: there is no 'Blur'; there are ToTensor, ConvertImageDtype"},
        {"Compose(ToTensor())", "transforms: Compose takes a list"},
        {"Compose([])", "transforms: Compose takes a list"},
        {"Normalize([0.1], [0.1])", "Got torch.uint8; ToTensor() comes first"},
        {"Compose([ToTensor(), Normalize([0, 0], [1, 1])])", "2 means and 2 deviations"},
        {"Compose([ToTensor(), Normalize([0.1], [0])])", "std evaluated to zero"},
        {"Compose([ToTensor(), ToTensor(), ToTensor(3)])", "ToTensor"},
        {"RandomCrop(9)", "Required crop size (9, 9) is larger than input image size (4, 5)"},
        {"RandomCrop((1, 2, 3))", "size must be one number or (height, width)"},
        {"CenterCrop(0)", "CenterCrop: Required crop size (0, 0)"},
        {"RandomCrop(2147483640, padding=1073741820)", "impossible shape"},
        {"RandomHorizontalFlip(2)", "p=2 is not a probability"},
        {"RandomHorizontalFlip(q=2)", "transforms: RandomHorizontalFlip"},
        {"ConvertImageDtype(torch.int64)", "ConvertImageDtype: cannot convert uint8 to int64"},
        {"3", "transforms: expected transforms such as ToTensor(), at most 32"},
        {"ToTensor(", "transforms: "}};
    open_context();
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        cr_assert_null(tern_transformed_new(pictures(), 0, bad[i][0]), "made: %s", bad[i][0]);
        CHECK_ERROR_HAS(bad[i][1]);
    }
    cr_assert_null(tern_transformed_new(pictures(), 1, "ToTensor()"));
    CHECK_ERROR("ToTensor: pic should be 2/3 dimensional. Got 0 dimensions.");
    cr_assert_null(tern_transformed_new(pictures(), 1, "CenterCrop(1)"));
    CHECK_ERROR_HAS("a sample of 0 dimensions is not a picture");
    cr_assert_null(tern_transformed_new(pictures(), 2, "ToTensor()"));
    CHECK_ERROR("transforms: no field 2: a sample has 2 fields");
    cr_assert_null(tern_transformed_new(NULL, 0, "ToTensor()"));
    close_context();
}

Test(data_transform, integers_become_fractions_of_their_greatest) {
    open_context();
    tern_tensor *x = tern_full(ctx, TERN_SHAPE(1, 1, 2), 127, TERN_INT8), *sample;
    tern_dataset_get(tern_transformed_new(tern_tensor_dataset_new(ctx, &x, 1), 0,
                                          "ConvertImageDtype(torch.float32)"),
                     0, &sample);
    CHECK_CLEAN();
    cr_assert(at(sample, 0) == 1 && tern_dtype_of(sample) == TERN_FLOAT32);
    close_context();
}

/*
 * fuzz_text.c: the readers of people's texts against any bytes: PyTorch's notation,
 * transforms, recipes, subscripts.
 *
 * With clang's -fsanitize=fuzzer this is a fuzz target. With -DFUZZ_SMOKE it is a program of its own
 * that feeds the target a fixed number of inputs, made from a seed by changing small texts.
 */
#include "fuzz_common.h"

#include "tern/data.h"
#include "tern/describe.h"
#include "tern/ops.h"

#include "training/recipe.h"

static bool no_sample(void *user, int64_t index, void *const *out_fields) {
    (void)user;
    (void)index;
    (void)out_fields;
    return false;
}

static void try_transforms(tern_ctx *ctx, const char *text) {
    tern_sample_field picture = {TERN_UINT8, {2, {4, 5}}};
    tern_dataset *data = tern_dataset_new(ctx, 1, &picture, 1, no_sample, NULL);
    tern_dataset *changed = tern_transformed_new(data, 0, text);
    fuzz_require((changed != NULL) == (tern_check(ctx) == TERN_OK), "a dataset with an error");
    fuzz_require(!strchr(tern_error(ctx), '\n'), tern_error(ctx));
    tern_error_clear(ctx);
}

/* What is read is within its bounds, what is not read is told in one line. */
static void try_recipe(tern_ctx *ctx, char *text) {
    recipe r;
    if (recipe_parse(ctx, "input", text, &r)) {
        fuzz_require(r.epochs >= 1 && r.workers <= 64, "a number outside of its range");
        ++*fuzz_accepted();
    } else {
        fuzz_require(!strchr(tern_error(ctx), '\n'), tern_error(ctx));
    }
    tern_error_clear(ctx);
}

/* A part of the tensor, or a message in one line that names the subscript. */
static void try_subscript(tern_ctx *ctx, const char *text) {
    tern_tensor *x = tern_zeros(ctx, TERN_SHAPE(2, 3, 4), TERN_FLOAT32);
    tern_tensor *part = tern_index(x, text);
    if (tern_check(ctx) == TERN_OK)
        fuzz_require(tern_numel(part) <= 24, "a part that is larger than the whole");
    else
        fuzz_require(tern_is_nil(part) && !strchr(tern_error(ctx), '\n'), tern_error(ctx));
    *fuzz_accepted() += tern_check(ctx) == TERN_OK;
    tern_error_clear(ctx);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    tern_ctx *ctx = fuzz_context();
    tern_scope scope = tern_scope_begin(ctx, 0);
    char *text = tern_scope_alloc(ctx, size + 1);
    fuzz_require(text != NULL, "out of memory");
    memcpy(text, data, size);
    fuzz_check(ctx, tern_notation_parse(ctx, "input", text));
    tern_error_clear(ctx);
    try_transforms(ctx, text);
    try_recipe(ctx, text);
    try_subscript(ctx, text);
    tern_scope_end(scope);
    return 0;
}

#ifdef FUZZ_SMOKE

static size_t seed_input(uint8_t *out, size_t room) {
    static const char *const texts[] = {
        "Compose([RandomCrop((2, 3), padding=1), ToTensor(), Normalize(mean=[0.5], std=(0.5,))])",
        "Sequential(\n  (0): Linear(in_features=1, out_features=8, bias=True)\n  (1-2): 2 x "
        "ReLU()\n)",
        "SGD(lr=1e-3, momentum=0.9, nesterov=True, foreach=None, name='x', dtype=torch.float32)",
        "model = mlp # a comment\nepochs=3\nclip = 1e2\nkeep=best\n\ntarget = price",
        "standardize = 0\ntest_share = 0.5\nseed = -7\nworkers=2\nepochs = 0x3",
        "1:, ..., None, -1"};
    return fuzz_seed_text(texts, sizeof texts / sizeof texts[0], out, room);
}

int main(int argc, char **argv) {
    return fuzz_smoke("fuzz_text", argc, argv, seed_input);
}

#endif

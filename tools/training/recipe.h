/*
 * recipe.h: what a training run does, as a small text file: a line is `key = value`, # begins a comment.
 *
 *     model     = Sequential(Flatten(), Linear(784, 256), ReLU(), Linear(256, 10))
 *     optimizer = SGD(lr=0.1)
 *     data      = fashion-mnist
 */
#ifndef TERN_TOOLS_RECIPE_H
#define TERN_TOOLS_RECIPE_H

#include "tern/context.h"

typedef struct recipe {
    const char *model;     /* PyTorch's notation, or one of mlp and tinyvgg */
    const char *optimizer; /* "SGD(lr=0.1)" */
    const char *scheduler; /* "" is none; steps once an epoch */
    const char *loss;      /* "CrossEntropyLoss()" */
    const char *data;      /* what run_data.h says */
    const char *transforms,
        *test_transforms; /* of the inputs, as tern_transformed_new takes them */
    const char *target,
        *inputs;         /* of a table: a column (the last), columns by commas (the others) */
    const char *device;  /* "" is what the command line says */
    const char *out;     /* the run's folder */
    int64_t header;      /* of a table: 1 if its first line holds the column names */
    const char *missing; /* of a table: what a missing input becomes, refuse or mean */
    const char *text; /* of a table: what an input of texts becomes, refuse, classes or one_hot */
    const char *keep; /* which epoch's weights model.pth holds: last, or best test loss */
    int64_t epochs, batch_size, seed, workers;
    int64_t limit;       /* training samples; 0: all, or a subset on a reference device */
    int64_t patience;    /* epochs without a better test loss until training stops; 0: never */
    double clip;         /* the gradients' largest norm; 0: none */
    double test_share;   /* of data that comes in one part */
    int64_t standardize; /* of a table: 1 scales inputs, and the target of a regression */
} recipe;

/* The defaults of a recipe. */
recipe recipe_default(void);

/* The recipe that is built in: all of the images, in steps that grow smaller. */
recipe recipe_fashion_mnist(void);

/* Reads a file over the defaults. False, with the error latched, which names line and key. */
bool recipe_read(tern_ctx *ctx, const char *path, recipe *out_recipe);

/* The same for a text that is cut into pieces, which the recipe refers to; `path` is for messages. */
bool recipe_parse(tern_ctx *ctx, const char *path, char *text, recipe *out_recipe);

/* Replaces the file. */
bool recipe_write(tern_ctx *ctx, const recipe *r, const char *path);

/* The notation of a model's short name; other text as it is. */
const char *recipe_model(const recipe *r);

/* The context that a recipe runs in: `reader`, in which it was read, or where it names a device and
 * the command line (`asked`) does not, a new one that the caller closes. */
tern_ctx *recipe_context(tern_ctx *reader, const recipe *r, const char *asked);

#endif

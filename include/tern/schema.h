/*
 * tern/schema.h: signatures: the name, type and default of each argument of an operation, a module,
 * an optimizer, a scheduler or an initialiser, as in PyTorch, and binding values to them.
 *
 * Calls by name, the text notation, printing and the command line all use it. A signature is a line
 * of text in PyTorch's own notation:
 *
 *     add(Tensor input, Tensor|Number other, *, Number alpha=1) -> Tensor
 *     Linear(int in_features, int out_features, bool bias=True)
 *
 * Types: Tensor, Number, int, float, bool, str, dtype, Generator, any; T[] is a list of T (a single
 * int is accepted as int[]); T? may be None; A|B is either. Arguments after `*` are keyword-only.
 */
#ifndef TERN_SCHEMA_H
#define TERN_SCHEMA_H

#include "tern/value.h"

#ifdef __cplusplus
extern "C" {
#endif

#define TERN_SCHEMA_MAX_ARGS 25

/* One argument of a signature. */
typedef struct tern_schema_arg {
    const char *name;
    uint32_t types; /* TERN_TAKES bits */
    bool has_default;
    bool keyword_only;
    tern_value fallback;      /* the default, if it is a scalar */
    const char *default_text; /* the default as written, "(0.9, 0.999)"; NULL if there is none */
} tern_schema_arg;

enum {
    TERN_TAKES_NONE = 1u,
    TERN_TAKES_TENSOR = 2u,
    TERN_TAKES_TENSORS = 4u,
    TERN_TAKES_BOOL = 8u,
    TERN_TAKES_INT = 16u,
    TERN_TAKES_FLOAT = 32u,
    TERN_TAKES_INTS = 64u,
    TERN_TAKES_FLOATS = 128u,
    TERN_TAKES_STRING = 256u,
    TERN_TAKES_DTYPE = 512u,
    TERN_TAKES_GENERATOR = 1024u,
    TERN_TAKES_ANY = 2048u
};

/* A parsed signature. */
typedef struct tern_schema {
    char name[64]; /* "max" of "max:dim(...)": the part after ':' distinguishes overloads */
    tern_schema_arg args[TERN_SCHEMA_MAX_ARGS];
    int n_args;
    char text[720]; /* names and defaults point into it: do not copy a schema by value */
} tern_schema;

/* Parses a signature; false if it is malformed (an error in Tern's own tables). */
TERN_API bool tern_schema_parse(const char *text, tern_schema *out_schema);

/* The default of argument `index`, lists in the open scope; none if there is no default. */
TERN_API tern_value tern_schema_default(tern_ctx *ctx, const tern_schema *schema, int index);

/*
 * Binds positional values and named ones (a dict or none) to the arguments: fills in defaults,
 * converts (int to float, one int to a list, text to dtype, "inf" and "nan" to float) and checks
 * types. Lists of int become INTS, lists of float a LIST of FLOAT. On failure writes one line to
 * `out_message` ("Linear: missing argument 'out_features' (int)") and returns false.
 */
TERN_API bool tern_schema_bind(tern_ctx *ctx, const tern_schema *schema,
                               const tern_value *positional, int n_positional, tern_value named,
                               tern_value *out_values, char *out_message, size_t message_size);

/* ---- "did you mean" -------------------------------------------------------------------------- */

/* Finds the name closest to a mistyped word. Names that differ in more than a third of the word's
 * letters plus one are not considered. */
typedef struct tern_nearest {
    const char *word;
    size_t word_length;
    const char *name; /* NULL: none is near */
    size_t length;    /* of the name, which need not be zero-terminated there */
    size_t distance;  /* the number of edits, or the first number that is too high */
} tern_nearest;

/* Begins a search for the names near `word`, which must live as long. */
TERN_API tern_nearest tern_nearest_begin(const char *word);

/* Considers one more name; nearest->name is then the best so far. */
TERN_API void tern_nearest_try(tern_nearest *nearest, const char *name, size_t length);

#ifdef __cplusplus
}
#endif

#endif

/*
 * tern/nn.h: modules (torch.nn.Module), the built-in ones, and initialisers (torch.nn.init).
 *
 * A module is a struct whose first member is a tern_module, together with a class that defines how it is made
 * and what its forward computes:
 *
 *     typedef struct line { tern_module module; tern_tensor *weights, *bias; } line;
 *
 *     static tern_status line_init(tern_module *self) {
 *         line *m = (line *)self;
 *         tern_ctx *ctx = tern_module_context(self);
 *         tern_tensor *weights = tern_randn(ctx, TERN_SHAPE(1), NULL);
 *         tern_tensor *bias = tern_randn(ctx, TERN_SHAPE(1), NULL);
 *         m->weights = tern_module_parameter(self, "weights", weights);
 *         m->bias = tern_module_parameter(self, "bias", bias);
 *         return TERN_OK;
 *     }
 *     static tern_tensor *line_forward(tern_module *self, tern_tensor *x) {
 *         line *m = (line *)self;
 *         return tern_add(tern_mul(m->weights, x), m->bias);
 *     }
 *     static const tern_module_class line_class = {
 *         TERN_MODULE_CLASS("Line()", line), .init = line_init, .forward = line_forward};
 *
 *     tern_module *model = tern_module_new(ctx, &line_class, NULL);
 *
 * Parameters, buffers and children are registered by name, so the keys of state_dict are PyTorch's.
 *
 * LIFETIME. A module dies with the scope it was made in. Its parameters, buffers and gradients live as long
 * as the module, whatever scope is open when they are made. A child must live as long as its parent, as one
 * made in the parent's init does.
 *
 * FAILURE. A constructor latches an error and returns NULL. Every function here accepts NULL for every
 * argument. For a NULL module, tern_forward returns nil, functions that return a status return
 * TERN_ERR_ARGUMENT, and iteration ends at once. A NULL text, array or class, and a tensor that is nil or
 * belongs to another context, latch an error that names the function.
 */
#ifndef TERN_NN_H
#define TERN_NN_H

#include "tern/describe.h"
#include "tern/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- classes --------------------------------------------------------------------------------- */

typedef struct tern_module_class tern_module_class;
typedef struct tern_module_inner tern_module_inner;

/* The first member of every module. Its members are private to the library. */
struct tern_module {
    const tern_module_class *cls;
    tern_module_inner *inner;
};

/*
 * Describes a class of modules. Members that you leave out are zero. A class must live as long as its
 * modules: make it static.
 */
struct tern_module_class {
    size_t size; /* sizeof(tern_module_class): TERN_MODULE_CLASS sets it */

    /* "Linear(int in_features, int out_features, bool bias=True)": the class's name, and the constructor's
     * arguments, for printing, the text notation and calls by name. */
    const char *schema;
    size_t instance_size; /* size of the struct that begins with tern_module */

    /* Which members of the struct hold the arguments; NULL for a class without arguments. */
    const tern_field *fields;

    /* Registers parameters, buffers and children. Everything that it makes belongs to the module. Members
     * other than the fields are zero. May be NULL. */
    tern_status (*init)(tern_module *self);

    /* The forward of a module that takes one tensor and returns one tensor. */
    tern_tensor *(*forward)(tern_module *self, tern_tensor *input);

    /* For any other forward: its signature ("forward(Tensor input, Tensor[]? hx=None)") and the function,
     * which gets one value per argument and returns a tensor or a tuple. A class has either this pair or
     * `forward`. */
    const char *call_schema;
    tern_value (*call)(tern_module *self, const tern_value *args);

    /* For a forward that is a single operation, instead of the two above: the operation's name, then the
     * members that are passed to it by name: "nn.functional.elu alpha". "training" passes Module.training;
     * "inplace" uses the in-place form if that member is true. The forward's own arguments (those of
     * call_schema, or "forward(Tensor input)" if that is NULL) come first. */
    const char *operation;

    /* What to print between the parentheses: arguments in order, separated by spaces. "in_features=" prints
     * name and value, "eps" only the value; "bias=?" prints nothing if the value is the default (a tuple of
     * zeros equals 0); "$mode=" prints a text without quotes. NULL prints nothing. */
    const char *print;

    /* The version in the state dict's metadata; 0 means 1. */
    int64_t version;

    unsigned flags;

    /* For a forward that is a product: computes formula(forward(input)) as one operation, like
     * tern_linear_map, or returns NULL if this input needs two steps. Sequential calls it if an activation
     * follows and no gradient is recorded. May be NULL. */
    tern_tensor *(*forward_map)(tern_module *self, tern_tensor *input, const char *formula);

    /* For deep copies (tern_module_copy): takes over from `source` what neither the fields nor init give,
     * a counter of the module's own, say. May be NULL. */
    void (*copied)(tern_module *self, const tern_module *source);
};

enum {
    /* Children are the constructor's positional arguments (Sequential). */
    TERN_MODULE_CONTAINER = 1u,
    /* Printing collapses equal neighbours: "(0-1): 2 x Linear(...)" (ModuleList). */
    TERN_MODULE_COLLAPSE = 2u,
    /* Printing shows the parameters, one per line (ParameterList). */
    TERN_MODULE_PARAMETERS = 4u,
    /* The operation is one of the functions of tern/formula.h, with the numbers that it names as arguments.
     */
    TERN_MODULE_FORMULA = 8u,
    /* Children are numbered (Sequential, ModuleList): if one is removed, the following ones move up. */
    TERN_MODULE_LIST = 16u
};

/* The members every class begins with. */
#define TERN_MODULE_CLASS(schema_text, struct_type)                                                \
    .size = sizeof(tern_module_class), .schema = (schema_text), .instance_size = sizeof(struct_type)

/*
 * Makes a module: copies the members listed in `fields` from `config` (a struct of the class's type; NULL
 * means all zero), then runs init.
 */
TERN_API tern_module *tern_module_new(tern_ctx *ctx, const tern_module_class *cls,
                                      const void *config);

/* Ends the module's lifetime before its scope ends. NULL is allowed. */
TERN_API void tern_module_free(tern_module *module);

/* ---- registering: in init, or after it ----------------------------------------------------------
 *
 * A name that is registered already gets what is given now (model.fc = ..., seq[1] = ...), in the place that
 * it had; the old tensor or module leaves the model and lives on. A member of the module's struct that held
 * the old one is set to the new one, so that the module's own code uses it. A name that stands for another
 * kind of thing (a child, where a parameter is registered) is an error. A change that is refused, or runs out
 * of memory, changes nothing.
 *
 * An optimizer made before keeps the parameters that it was made with, as in PyTorch: make it anew, or add
 * the new parameters with tern_optim_add_group.
 */

/* Opens a scope in which new tensors and modules belong to the module, for making parameters and children after
 * init; end it with tern_scope_end. */
TERN_API tern_scope tern_module_begin(tern_module *self);

/*
 * Registers a leaf of a floating dtype as a parameter (nn.Parameter) and makes it require a gradient. The
 * tensor must live as long as the module (made in init, or after tern_module_begin). NULL registers the name
 * without a tensor (bias=False). Registering the same tensor under two names ties them. Returns the tensor; nil
 * after latching.
 */
TERN_API tern_tensor *tern_module_parameter(tern_module *self, const char *name,
                                            tern_tensor *tensor);

/* register_buffer(name, tensor, persistent): a persistent buffer is part of the state dict. */
TERN_API tern_tensor *tern_module_buffer(tern_module *self, const char *name, tern_tensor *tensor,
                                         bool persistent);

/*
 * Registers a child (register_module) and returns it. A NULL child, which a constructor that failed
 * returns, is an error too. Cycles, and trees deeper than 64, are errors. A parameter of the child over
 * the same memory as one of the module (tern_module_assign_state_dict) is tied to it.
 */
TERN_API tern_module *tern_module_child(tern_module *self, const char *name, tern_module *child);

/* set_submodule("block.0", child): tern_module_child by a path, whose last name may be new. */
TERN_API tern_module *tern_module_set(tern_module *module, const char *path, tern_module *child);

/*
 * head.weight = token.weight: the parameter at `path` becomes the one at `other`, with its values and its
 * requires_grad: one tensor, counted, trained and moved once, and saved under both keys, as PyTorch does.
 * Their shapes must be equal.
 */
TERN_API tern_status tern_module_tie(tern_module *module, const char *path, const char *other);

/*
 * del model.fc, del seq[1]: removes the child, parameter or buffer at the path; a member of the struct that
 * held it becomes NULL. In a Sequential and a ModuleList the following children move up. What was removed
 * lives as long as before.
 */
TERN_API tern_status tern_module_remove(tern_module *module, const char *path);

/*
 * Says which variable of the module's code holds what is registered under the name: `member` is the address of
 * a tern_tensor * (of a child: a tern_module *), which must live as long as the module. When the name is
 * registered again, the variable is updated. Members of the struct are found by themselves; call this for
 * pointers outside of the struct (an array of weights), for names registered with NULL that may get a tensor
 * later, and if two members hold the same tensor.
 *
 *     m->bias = tern_module_parameter(self, "bias", NULL);
 *     tern_module_member(self, "bias", &m->bias);
 */
TERN_API tern_status tern_module_member(tern_module *self, const char *name, void *member);

/* ---- looking --------------------------------------------------------------------------------- */

/* The context that the module was made in. */
TERN_API tern_ctx *tern_module_context(const tern_module *module);

/* "Linear": the class's name; "" of NULL. */
TERN_API const char *tern_module_name(const tern_module *module);

/* get_submodule("block.0"); "" is the module itself. If there is none, latches an error and returns NULL. */
TERN_API tern_module *tern_module_get(tern_module *module, const char *path);

/* get_parameter / get_buffer("block.0.weight"). If there is none, latches an error and returns nil. */
TERN_API tern_tensor *tern_module_tensor(tern_module *module, const char *path);

/* The index-th direct child; NULL past the end. out_name may be NULL. */
TERN_API tern_module *tern_module_child_at(const tern_module *module, size_t index,
                                           const char **out_name);

/* A constructor argument ("in_features") as a value; none if the class has no such argument. */
TERN_API tern_value tern_module_argument(const tern_module *module, const char *name);

/* named_parameters(), named_buffers(): an ordered dict of the tensors themselves, depth first, the module's
 * own before its children's; a tied tensor appears once, under its first name. */
TERN_API tern_value tern_module_named_parameters(tern_module *module);

/* named_buffers(): the same of buffers. */
TERN_API tern_value tern_module_named_buffers(tern_module *module);

/* parameters(): a list of the tensors themselves, as an optimizer takes it. */
TERN_API tern_value tern_module_parameters(tern_module *module);

/*
 * [p for name, p in named_parameters() if the name matches]: the parameters of a group of an optimizer.
 * `patterns` are alternatives in which '*' stands for any characters, "*.bias|*norm*"; '!' in front of all of them
 * takes the parameters that none of them matches. None after latching an error, also if no parameter is left.
 */
TERN_API tern_value tern_module_parameters_like(tern_module *module, const char *patterns);

/* named_modules(): calls visit(user, "block.0", module) for the module itself ("") and everything
 * below, depth first, each module once. Stops where visit returns false. */
typedef bool (*tern_module_visit)(void *user, const char *name, tern_module *module);

/* Calls `visit` for each; see tern_module_visit. */
TERN_API void tern_module_each(tern_module *module, tern_module_visit visit, void *user);

/* The number of elements of all parameters; tied ones count once. */
TERN_API int64_t tern_module_count_parameters(tern_module *module);

/* ---- using ----------------------------------------------------------------------------------- */

/* module(input): runs forward in its own scope, so that intermediate results are freed when it returns. */
TERN_API tern_tensor *tern_forward(tern_module *module, tern_tensor *input);

/* module(input, target): for losses and other modules of two tensors. */
TERN_API tern_tensor *tern_forward2(tern_module *module, tern_tensor *first, tern_tensor *second);

/*
 * module(...): any number of positional and named arguments; the result is a tensor or a tuple. None after
 * latching an error.
 */
TERN_API tern_value tern_module_call(tern_module *module, const tern_value *positional,
                                     int n_positional, tern_value named);

/* train(true) and eval(), children included. */
TERN_API void tern_module_train(tern_module *module, bool training);

/* eval(): evaluation mode, children included. */
TERN_API void tern_module_eval(tern_module *module);

/* Module.training */
TERN_API bool tern_module_is_training(const tern_module *module);

/* zero_grad(): gradients become none. */
TERN_API tern_status tern_module_zero_grad(tern_module *module);

/* requires_grad_() of all parameters. */
TERN_API tern_status tern_module_requires_grad(tern_module *module, bool requires_grad);

/*
 * Module.to(device): moves parameters, buffers and gradients, all or nothing. Handles stay valid, tied
 * weights stay tied, and optimizers keep their parameters (their state follows at the next step).
 */
TERN_API tern_status tern_module_to(tern_module *module, const char *device);

/* Module.to(dtype): converts parameters, floating buffers and gradients, all or nothing. */
TERN_API tern_status tern_module_to_dtype(tern_module *module, tern_dtype dtype);

/* apply(fn): children first, then the module itself. */
TERN_API void tern_module_apply(tern_module *module, void (*fn)(tern_module *module, void *user),
                                void *user);

/* ---- state ----------------------------------------------------------------------------------- */

/*
 * state_dict(): an OrderedDict of detached tensors that share the module's storage, with PyTorch's keys in
 * PyTorch's order; its attribute _metadata holds each module's version, as torch.save writes it.
 */
TERN_API tern_value tern_module_state_dict(tern_module *module);

/*
 * load_state_dict(state, strict): copies the values, converting dtype and device. A state that does not fit
 * is an error with PyTorch's own text (several lines, unlike other messages), and changes nothing. If strict
 * is false, missing and unexpected keys are ignored; sizes must still match.
 */
TERN_API tern_status tern_module_load_state_dict(tern_module *module, tern_value state,
                                                 bool strict);

/*
 * load_state_dict(state, strict, assign=True): if dtype and device match, the module's tensors use the
 * state's storage instead of a copy. With tern_value_map, a model is then memory-mapped from its file.
 * Handles stay valid, so tied weights and optimizers keep working.
 */
TERN_API tern_status tern_module_assign_state_dict(tern_module *module, tern_value state,
                                                   bool strict);

/* ---- one model in several threads ------------------------------------------------------------ */

/*
 * A model's weights for several contexts: an immutable copy of its state dict in host memory. A context
 * belongs to one thread, so each thread makes the module in its own context and shares these weights:
 *
 *     tern_weights *weights = tern_weights_new(model);           one thread, once
 *     tern_module *own = tern_nn(ctx, notation);                 each thread
 *     tern_weights_use(weights, own);
 */
typedef struct tern_weights tern_weights;

/* Copies the weights; later changes of the module do not affect the copy. NULL after latching an error. */
TERN_API tern_weights *tern_weights_new(tern_module *module);

/*
 * Makes the module's tensors use the shared memory, without a copy on devices that can use host memory.
 * Strict as load_state_dict: a mismatch changes nothing. The module is then for inference: it is in
 * evaluation mode, and its parameters require no gradients. Do not write to them in place, since other
 * threads read them. May be called from several threads at once.
 */
TERN_API tern_status tern_weights_use(tern_weights *weights, tern_module *module);

/* Releases the caller's reference; the memory is freed when no module uses it any more. NULL is allowed. */
TERN_API void tern_weights_free(tern_weights *weights);

/* ---- printing -------------------------------------------------------------------------------- */

/* What Python's print(model) shows, without the last newline. Returns the length like snprintf. */
TERN_API size_t tern_module_repr(const tern_module *module, char *out_text, size_t size);

/* The same as text of the open scope; "" on failure. */
TERN_API const char *tern_module_repr_text(const tern_module *module);

/* ---- text and names -------------------------------------------------------------------------- */

/*
 * Makes a module from PyTorch's notation: a constructor expression or what print(model) shows.
 *
 *     tern_nn(ctx, "Sequential(Flatten(), Linear(784, 256), ReLU(), Linear(256, 10))")
 *
 * Weights are drawn in the same order as in PyTorch. An error gives the column; a printout that lacks a
 * required argument (MultiheadAttention does not print num_heads) is an error that names the argument.
 */
TERN_API tern_module *tern_nn(tern_ctx *ctx, const char *text);

/* The same, with arguments by module path that override those in the text: {"encoder.self_attn":
 * {"num_heads": 8}}. */
TERN_API tern_module *tern_nn_with(tern_ctx *ctx, const char *text, tern_value overrides);

/* Makes a module by its class name ("Linear") from named arguments (a dict, or none). An argument that is
 * itself a module is given as a dict {"module": name, "args": dict}. */
TERN_API tern_module *tern_nn_make(tern_ctx *ctx, const char *name, tern_value args);

/* Makes a class of your own available to the text notation and to calls by name, in every context of the
 * process. A different class with the same name is an error; registering the same class again is not. */
TERN_API tern_status tern_nn_register(tern_ctx *ctx, const tern_module_class *cls);

/* A class by name; NULL if there is none. */
TERN_API const tern_module_class *tern_nn_class(const char *name);

/* The index-th class in alphabetical order, then those of your own; NULL past the end. */
TERN_API const tern_module_class *tern_nn_class_at(size_t index);

/* ---- initialisers (torch.nn.init) ---------------------------------------------------------------
 *
 * Each overwrites a tensor in place without recording a gradient, draws the same numbers as PyTorch from
 * `generator` (NULL: the context's) and returns the tensor, or nil after latching an error. */

/* uniform_(tensor, a, b): uniform in [a, b). */
TERN_API tern_tensor *tern_init_uniform(tern_tensor *tensor, double a, double b,
                                        tern_generator *generator);

/* normal_(tensor, mean, std). */
TERN_API tern_tensor *tern_init_normal(tern_tensor *tensor, double mean, double std,
                                       tern_generator *generator);

/* constant_(tensor, val). */
TERN_API tern_tensor *tern_init_constant(tern_tensor *tensor, double val);

/* ones_(tensor). */
TERN_API tern_tensor *tern_init_ones(tern_tensor *tensor);

/* zeros_(tensor). */
TERN_API tern_tensor *tern_init_zeros(tern_tensor *tensor);

/* The identity matrix; 2 dimensions. */
TERN_API tern_tensor *tern_init_eye(tern_tensor *tensor);

/* The Dirac delta, which preserves as many input channels as possible; 3 to 5 dimensions. */
TERN_API tern_tensor *tern_init_dirac(tern_tensor *tensor, int64_t groups);

/* xavier_uniform_(tensor, gain): uniform within gain * sqrt(6 / (fan_in + fan_out)); 2 or more
 * dimensions. */
TERN_API tern_tensor *tern_init_xavier_uniform(tern_tensor *tensor, double gain,
                                               tern_generator *generator);

/* xavier_normal_(tensor, gain): normal with std gain * sqrt(2 / (fan_in + fan_out)). */
TERN_API tern_tensor *tern_init_xavier_normal(tern_tensor *tensor, double gain,
                                              tern_generator *generator);

/* The arguments of the initialisers of He et al. 2015. */
typedef struct tern_kaiming_options {
    size_t size;
    double a;                 /* negative slope of leaky_relu */
    const char *mode;         /* "fan_in" or "fan_out" */
    const char *nonlinearity; /* as in tern_init_gain */
    tern_generator *generator;
} tern_kaiming_options;
#define TERN_KAIMING_OPTIONS                                                                       \
    { sizeof(tern_kaiming_options), 0.0, "fan_in", "leaky_relu", NULL }

/* kaiming_uniform_(tensor): uniform within gain(nonlinearity, a) * sqrt(3 / fan); NULL options are
 * the defaults. */
TERN_API tern_tensor *tern_init_kaiming_uniform(tern_tensor *tensor,
                                                const tern_kaiming_options *options);

/* kaiming_normal_(tensor): normal with std gain(nonlinearity, a) / sqrt(fan). */
TERN_API tern_tensor *tern_init_kaiming_normal(tern_tensor *tensor,
                                               const tern_kaiming_options *options);

/* Normal values truncated to [a, b], drawn as PyTorch 2.15 draws them. */
TERN_API tern_tensor *tern_init_trunc_normal(tern_tensor *tensor, double mean, double std, double a,
                                             double b, tern_generator *generator);

/* A matrix with orthonormal rows (or columns), times gain; 2 or more dimensions, those after the first are
 * flattened. */
TERN_API tern_tensor *tern_init_orthogonal(tern_tensor *tensor, double gain,
                                           tern_generator *generator);

/* Normal values, with the fraction `sparsity` of each column set to zero; 2 dimensions. */
TERN_API tern_tensor *tern_init_sparse(tern_tensor *tensor, double sparsity, double std,
                                       tern_generator *generator);

/* calculate_gain("relu"): NaN after latching an error. `param` NULL means the default (leaky_relu: 0.01). */
TERN_API double tern_init_gain(tern_ctx *ctx, const char *nonlinearity, const double *param);

/* An initialiser by PyTorch's name ("kaiming_uniform_", "calculate_gain") with named arguments (a dict or
 * none). Returns the tensor or the gain; none after latching an error. calculate_gain does not use `tensor`.
 */
TERN_API tern_value tern_init_call(tern_ctx *ctx, const char *name, tern_tensor *tensor,
                                   tern_value args);

#ifdef __cplusplus
}
#endif

#include "tern/layers.h"

#endif

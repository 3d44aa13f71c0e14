/*
 * tern/nn.h: modules (torch.nn.Module), the built-in ones, and initialisers (torch.nn.init).
 *
 * A module is a struct whose first member is a tern_module, and a class that says how it is made
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
 * Parameters, buffers and children register by name, so the keys of state_dict are PyTorch's.
 *
 * LIFETIME. A module dies with the scope it was made in; its parameters, buffers and gradients live
 * in its owner, whatever scope is open later. A child must live as long as its parent: one made in
 * the parent's init does.
 *
 * FAILURE. A constructor latches an error and returns NULL. Every function here takes NULL for
 * every argument. A NULL module: tern_forward returns the input's nil, verbs return
 * TERN_ERR_ARGUMENT, iterators are empty. A NULL text, array or class, and a tensor that is nil or
 * of another context, is an error that is latched with the function's name.
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

/* The first member of every module. Both members are the library's. */
struct tern_module {
    const tern_module_class *cls;
    tern_module_inner *inner;
};

/*
 * What a kind of module is. Members that are left out are zero; a class lives as long as its
 * modules (make it static).
 */
struct tern_module_class {
    size_t size; /* sizeof(tern_module_class): TERN_MODULE_CLASS sets it */

    /* "Linear(int in_features, int out_features, bool bias=True)": the name that is printed, and
     * the constructor's arguments for text and calls by name. */
    const char *schema;
    size_t instance_size; /* of the struct that begins with tern_module */

    /* Where the arguments lie in the struct; NULL for a class without arguments. */
    const tern_field *fields;

    /* Registers parameters, buffers and children. What it makes belongs to the module. The struct
     * is zero but for the fields. May be NULL. */
    tern_status (*init)(tern_module *self);

    /* The forward of one tensor to one tensor. */
    tern_tensor *(*forward)(tern_module *self, tern_tensor *input);

    /* For any other forward: its arguments ("forward(Tensor input, Tensor[]? hx=None)") and the
     * function, which gets one value for each of them and returns a tensor or a tuple. A class has
     * either this pair or `forward`. */
    const char *call_schema;
    tern_value (*call)(tern_module *self, const tern_value *args);

    /* For a forward that is one operation by name, instead of the two above: the operation, then
     * the members that it takes by name: "nn.functional.elu alpha". "training" passes
     * Module.training; "inplace" takes the in-place form where that member is true. The forward's
     * arguments (of call_schema, "forward(Tensor input)" where that is NULL) come first. */
    const char *operation;

    /* What stands between the parentheses when the module is printed: arguments in order, separated
     * by spaces. "in_features=" prints name and value, "eps" the value alone, "bias=?" is left out
     * where it equals the default (a tuple of zeros equals 0), "$mode=" prints a text without its
     * quotes. NULL prints nothing. */
    const char *print;

    /* The version in the state dict's metadata; 0 stands for 1. */
    int64_t version;

    unsigned flags;

    /* For a forward that is a product: formula(forward(input)) in one operation, as tern_linear_map; NULL
     * where this input needs the two steps. Sequential calls it where an activation follows and no gradient
     * is recorded. May be NULL. */
    tern_tensor *(*forward_map)(tern_module *self, tern_tensor *input, const char *formula);
};

enum {
    /* Children are the constructor's positional arguments (Sequential). */
    TERN_MODULE_CONTAINER = 1u,
    /* Printing collapses equal neighbours: "(0-1): 2 x Linear(...)" (ModuleList). */
    TERN_MODULE_COLLAPSE = 2u,
    /* Printing shows the parameters, a line each (ParameterList). */
    TERN_MODULE_PARAMETERS = 4u,
    /* The operation is a function of formulas (tern/formula.h) with the numbers that it names. */
    TERN_MODULE_FORMULA = 8u
};

/* The members every class begins with. */
#define TERN_MODULE_CLASS(schema_text, struct_type)                                                \
    .size = sizeof(tern_module_class), .schema = (schema_text), .instance_size = sizeof(struct_type)

/*
 * Makes a module: takes the members of `fields` from `config` (a struct of the class's type; NULL
 * is all zero), then runs init.
 */
TERN_API tern_module *tern_module_new(tern_ctx *ctx, const tern_module_class *cls,
                                      const void *config);

/* Ends the module's lifetime before its scope ends. NULL is fine. */
TERN_API void tern_module_free(tern_module *module);

/* ---- registering: in init, or after it ------------------------------------------------------- */

/* Enters the module's owner, for making parameters after init; end it with tern_scope_end. */
TERN_API tern_scope tern_module_begin(tern_module *self);

/*
 * Registers a leaf of a floating dtype as a parameter (nn.Parameter) and lets it require a
 * gradient. The tensor must live as long as the module (made in init, or after tern_module_begin).
 * NULL registers the name without a tensor (bias=False). The same tensor under two names is tied.
 * Returns the tensor.
 */
TERN_API tern_tensor *tern_module_parameter(tern_module *self, const char *name,
                                            tern_tensor *tensor);

/* register_buffer(name, tensor, persistent): a persistent one is in the state dict. */
TERN_API tern_tensor *tern_module_buffer(tern_module *self, const char *name, tern_tensor *tensor,
                                         bool persistent);

/* Registers a child (register_module) and returns it. A NULL child, which a constructor that failed
 * returns, is an error too. Cycles, and trees deeper than 64, are errors. */
TERN_API tern_module *tern_module_child(tern_module *self, const char *name, tern_module *child);

/* ---- looking --------------------------------------------------------------------------------- */

TERN_API tern_ctx *tern_module_context(const tern_module *module);

/* "Linear": the class's name; "" of NULL. */
TERN_API const char *tern_module_name(const tern_module *module);

/* get_submodule("block.0"); "" is the module itself. NULL, and a latched error, where there is
 * none. */
TERN_API tern_module *tern_module_get(tern_module *module, const char *path);

/* get_parameter / get_buffer("block.0.weight"). Nil after a latched error where there is none. */
TERN_API tern_tensor *tern_module_tensor(tern_module *module, const char *path);

/* The index-th direct child; NULL past the end, so that loops end. out_name may be NULL. */
TERN_API tern_module *tern_module_child_at(const tern_module *module, size_t index,
                                           const char **out_name);

/* A constructor's argument as a value ("in_features"); none where the class has no such field. */
TERN_API tern_value tern_module_argument(const tern_module *module, const char *name);

/* named_parameters(), named_buffers(): an ordered dict of the tensors themselves, depth first, own
 * before children's, a tied one once under its first name. */
TERN_API tern_value tern_module_named_parameters(tern_module *module);
TERN_API tern_value tern_module_named_buffers(tern_module *module);

/* parameters(): a list of the tensors themselves, as an optimizer takes it. */
TERN_API tern_value tern_module_parameters(tern_module *module);

/* named_modules(): calls visit(user, "block.0", module) for the module itself ("") and everything
 * below, depth first, each module once. Stops where visit returns false. */
typedef bool (*tern_module_visit)(void *user, const char *name, tern_module *module);
TERN_API void tern_module_each(tern_module *module, tern_module_visit visit, void *user);

/* Elements of all parameters, tied ones counted once. */
TERN_API int64_t tern_module_count_parameters(tern_module *module);

/* ---- using ----------------------------------------------------------------------------------- */

/* module(input): runs forward in a scope of its own, so that intermediates die when it returns. */
TERN_API tern_tensor *tern_forward(tern_module *module, tern_tensor *input);

/* module(input, target): for losses and other modules of two tensors. */
TERN_API tern_tensor *tern_forward2(tern_module *module, tern_tensor *first, tern_tensor *second);

/*
 * module(...): any number of arguments, by position and by name, and any result: a tensor or a
 * tuple. None after latching an error.
 */
TERN_API tern_value tern_module_call(tern_module *module, const tern_value *positional,
                                     int n_positional, tern_value named);

/* train(true) and eval(), children included. */
TERN_API void tern_module_train(tern_module *module, bool training);
TERN_API void tern_module_eval(tern_module *module);

/* Module.training */
TERN_API bool tern_module_is_training(const tern_module *module);

/* zero_grad(): gradients become none. */
TERN_API tern_status tern_module_zero_grad(tern_module *module);

/* requires_grad_() of all parameters. */
TERN_API tern_status tern_module_requires_grad(tern_module *module, bool requires_grad);

/*
 * Module.to(device): parameters, buffers and gradients move, whole or not at all. Handles stay
 * valid, tied weights stay tied, and optimizers keep their parameters (their state follows at the
 * next step).
 */
TERN_API tern_status tern_module_to(tern_module *module, const char *device);

/* Module.to(dtype): parameters, floating buffers and gradients, whole or not at all. */
TERN_API tern_status tern_module_to_dtype(tern_module *module, tern_dtype dtype);

/* apply(fn): children first, then the module itself. */
TERN_API void tern_module_apply(tern_module *module, void (*fn)(tern_module *module, void *user),
                                void *user);

/* ---- state ----------------------------------------------------------------------------------- */

/*
 * state_dict(): an OrderedDict of detached tensors over the same storage, with PyTorch's keys in
 * PyTorch's order; its attribute _metadata holds each module's version, as torch.save writes it.
 */
TERN_API tern_value tern_module_state_dict(tern_module *module);

/*
 * load_state_dict(state, strict): copies values in, converting dtype and device. A state that does
 * not fit is an error with PyTorch's own text (of several lines, unlike other messages), and
 * changes nothing. With strict false, missing and unexpected keys are passed over; sizes must match
 * still.
 */
TERN_API tern_status tern_module_load_state_dict(tern_module *module, tern_value state,
                                                 bool strict);

/*
 * load_state_dict(state, strict, assign=True): the module's tensors take over the state's storage
 * instead of copying it, where dtype and device are theirs already. With tern_value_map a model then
 * lies over the pages of its file. The handles stay: tied weights and optimizers keep theirs.
 */
TERN_API tern_status tern_module_assign_state_dict(tern_module *module, tern_value state,
                                                   bool strict);

/* ---- one model in several threads ------------------------------------------------------------ */

/*
 * A model's weights for several contexts: a copy of its state dict in host memory, which never
 * changes. A context belongs to one thread, so each thread makes the module anew in a context of its
 * own and lets it use these weights:
 *
 *     tern_weights *weights = tern_weights_new(model);           one thread, once
 *     tern_module *own = tern_nn(ctx, notation);                 each thread
 *     tern_weights_use(weights, own);
 */
typedef struct tern_weights tern_weights;

/* Copies the weights, which the module may change afterwards. NULL after latching an error. */
TERN_API tern_weights *tern_weights_new(tern_module *module);

/*
 * Puts the module's state over the shared memory, without a copy on devices that can use host memory.
 * Strict as load_state_dict: what does not fit changes nothing. The module is then for inference: in
 * evaluation mode, its parameters without gradients; writing to them in place is an error of the
 * program, as other threads read them. Called from any thread, several at once.
 */
TERN_API tern_status tern_weights_use(tern_weights *weights, tern_module *module);

/* The caller is done with them; the memory goes when no module uses it. NULL is fine. */
TERN_API void tern_weights_free(tern_weights *weights);

/* ---- printing -------------------------------------------------------------------------------- */

/* What Python's print(model) shows, without the last newline. Returns the length as snprintf does.
 */
TERN_API size_t tern_module_repr(const tern_module *module, char *out_text, size_t size);

/* The same as text of the open scope; "" on failure. */
TERN_API const char *tern_module_repr_text(const tern_module *module);

/* ---- text and names -------------------------------------------------------------------------- */

/*
 * Makes a module from PyTorch's notation: a constructor expression or what print(model) shows.
 *
 *     tern_nn(ctx, "Sequential(Flatten(), Linear(784, 256), ReLU(), Linear(256, 10))")
 *
 * Weights are drawn in the order PyTorch would draw them. An error points at the column; a printout
 * that leaves out what is needed (MultiheadAttention prints no num_heads) is an error that names
 * the argument.
 */
TERN_API tern_module *tern_nn(tern_ctx *ctx, const char *text);

/* The same with arguments for modules by path, over those in the text:
 * {"encoder.self_attn": {"num_heads": 8}}. */
TERN_API tern_module *tern_nn_with(tern_ctx *ctx, const char *text, tern_value overrides);

/* Makes a module by its class's name, "Linear", from named arguments (a dict, or none). An argument
 * that is itself a module is a dict {"module": name, "args": dict}. */
TERN_API tern_module *tern_nn_make(tern_ctx *ctx, const char *name, tern_value args);

/* Lets text and names find a class of the program's own, in every context of the process. A second
 * class of the same name is an error; the same class again is fine. */
TERN_API tern_status tern_nn_register(tern_ctx *ctx, const tern_module_class *cls);

/* The class of a name, NULL where there is none; the index-th class, NULL past the end. */
TERN_API const tern_module_class *tern_nn_class(const char *name);
TERN_API const tern_module_class *tern_nn_class_at(size_t index);

/* ---- initialisers (torch.nn.init) ---------------------------------------------------------------
 *
 * Each overwrites a tensor without recording it, draws PyTorch's numbers from `generator` (NULL is
 * the context's) and returns the tensor, or nil after latching an error.
 */
TERN_API tern_tensor *tern_init_uniform(tern_tensor *tensor, double a, double b,
                                        tern_generator *generator);
TERN_API tern_tensor *tern_init_normal(tern_tensor *tensor, double mean, double std,
                                       tern_generator *generator);
TERN_API tern_tensor *tern_init_constant(tern_tensor *tensor, double val);
TERN_API tern_tensor *tern_init_ones(tern_tensor *tensor);
TERN_API tern_tensor *tern_init_zeros(tern_tensor *tensor);

/* The identity matrix; 2 dimensions. */
TERN_API tern_tensor *tern_init_eye(tern_tensor *tensor);

/* The Dirac delta, which keeps the identity of as many channels as it can; 3 to 5 dimensions. */
TERN_API tern_tensor *tern_init_dirac(tern_tensor *tensor, int64_t groups);
TERN_API tern_tensor *tern_init_xavier_uniform(tern_tensor *tensor, double gain,
                                               tern_generator *generator);
TERN_API tern_tensor *tern_init_xavier_normal(tern_tensor *tensor, double gain,
                                              tern_generator *generator);

typedef struct tern_kaiming_options {
    size_t size;
    double a;                 /* negative slope of leaky_relu */
    const char *mode;         /* "fan_in" or "fan_out" */
    const char *nonlinearity; /* as in tern_init_gain */
    tern_generator *generator;
} tern_kaiming_options;
#define TERN_KAIMING_OPTIONS                                                                       \
    { sizeof(tern_kaiming_options), 0.0, "fan_in", "leaky_relu", NULL }
TERN_API tern_tensor *tern_init_kaiming_uniform(tern_tensor *tensor,
                                                const tern_kaiming_options *options);
TERN_API tern_tensor *tern_init_kaiming_normal(tern_tensor *tensor,
                                               const tern_kaiming_options *options);

/* Normal values redrawn until they lie within [a, b], as PyTorch 2.15 draws them. */
TERN_API tern_tensor *tern_init_trunc_normal(tern_tensor *tensor, double mean, double std, double a,
                                             double b, tern_generator *generator);

/* Rows (or columns) orthonormal, times gain; 2 or more dimensions, those after the first flattened.
 */
TERN_API tern_tensor *tern_init_orthogonal(tern_tensor *tensor, double gain,
                                           tern_generator *generator);

/* Normal values, a share `sparsity` of each column zeroed; 2 dimensions. */
TERN_API tern_tensor *tern_init_sparse(tern_tensor *tensor, double sparsity, double std,
                                       tern_generator *generator);

/* calculate_gain("relu"): NaN after latching an error. `param` NULL is none (leaky_relu: 0.01). */
TERN_API double tern_init_gain(tern_ctx *ctx, const char *nonlinearity, const double *param);

/* An initialiser by PyTorch's name ("kaiming_uniform_", "calculate_gain") with named arguments (a
 * dict or none). Returns the tensor or the gain; none after latching an error. `tensor` is not used
 * by calculate_gain. */
TERN_API tern_value tern_init_call(tern_ctx *ctx, const char *name, tern_tensor *tensor,
                                   tern_value args);

#ifdef __cplusplus
}
#endif

#include "tern/layers.h"

#endif

/*
 * tern/context.h: contexts, latched errors, scopes, seeds, generators and devices.
 *
 * Use one context per thread: a context is never shared between threads, and an operation on tensors of two
 * contexts is an error. The context is the outermost scope: closing it frees everything made in it.
 *
 * ERRORS LATCH. An operation always returns a tensor. On failure the context keeps the first error with its
 * message, and the operation returns the context's nil tensor; later operations on nil return nil and change
 * nothing. Functions that return no tensor return a status as well. You may check every call, but must check
 * once:
 *
 *     tern_ctx *ctx = tern_open(NULL);
 *     ...
 *     if (tern_check(ctx)) fprintf(stderr, "%s\n", tern_error(ctx));
 *     return tern_close(ctx) != TERN_OK;
 *
 * The library never prints, aborts or exits.
 */
#ifndef TERN_CONTEXT_H
#define TERN_CONTEXT_H

#include "tern/base.h"
#include "tern/value.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- contexts and errors ------------------------------------------------------------------ */

/*
 * Opens a context on a device: "cpu", "cpu_ref", "cuda:1", "auto"; NULL means TERN_DEVICE, or "auto" if that
 * is unset. If a named device cannot be opened, no other is used instead. Never returns NULL: on failure, the
 * context that is returned has an error latched (a static context if memory is exhausted).
 */
TERN_API tern_ctx *tern_open(const char *device);

/* Frees everything that the context owns and returns its latched status. NULL is allowed (TERN_OK). */
TERN_API tern_status tern_close(tern_ctx *ctx);

/* The latched status, TERN_OK if there is none. Waits for the devices' queued work first, so that the error
 * of a failed kernel is included. */
TERN_API tern_status tern_check(tern_ctx *ctx);

/* The latched message, one line without newline; "" if there is none. Owned by the context, valid until the
 * next error is latched. */
TERN_API const char *tern_error(const tern_ctx *ctx);

/* Returns the latched status and resets it, at any scope depth. Objects made before the error stay valid. */
TERN_API tern_status tern_error_clear(tern_ctx *ctx);

/* Latches an error of your own program (for example, a module of yours got an input of the wrong shape),
 * unless one is latched already. Returns the latched status. The message is one line, whatever texts it shows, but
 * for a format that itself has a newline and a tab: of a list of problems. */
TERN_API tern_status tern_fail(tern_ctx *ctx, tern_status status, const char *format, ...)
    TERN_PRINTF(3, 4);

/* Replaces every control character of a text by '?', in place: U+0000 to U+001F, U+007F and U+0080 to U+009F,
 * which would move a terminal's cursor or begin a line. With `keeps_lines` a newline that a tab follows stays,
 * as in lists of problems (tern_fail). Done to every latched message; nothing for NULL. */
TERN_API void tern_text_tame(char *text, bool keeps_lines);

/* Called once for each error at the moment it latches: a good place for a breakpoint or a trace. */
typedef void (*tern_error_fn)(void *user, tern_status status, const char *message);

/* Calls fn(user, status, message) when the context latches an error, with the message as tern_error
 * gives it; NULL for none. */
TERN_API void tern_on_error(tern_ctx *ctx, tern_error_fn fn, void *user);

/* Writes to `out_text` where the program is in what it does ("2 (Linear): "), as the beginning of an error that
 * latches now. Returns the length, below `size`. */
typedef size_t (*tern_error_place_fn)(void *user, char *out_text, size_t size);

/* Sets what the context's errors begin with; NULL for nothing. A forward of a module sets it to the path of the
 * module within the one that was called. */
TERN_API void tern_on_error_place(tern_ctx *ctx, tern_error_place_fn fn, void *user);

/* How important a line of the log is. */
typedef enum tern_log_level { TERN_LOG_DEBUG, TERN_LOG_INFO, TERN_LOG_WARNING } tern_log_level;

/* Receives notices (which device "auto" chose and why, a fallback). Process-wide, because devices are found
 * before a context exists; with NULL (the default) nothing is logged. Not thread safe: set it before anything
 * else. */
typedef void (*tern_log_fn)(void *user, tern_log_level level, const char *message);

/* Passes lines of the log to a function, for the whole process; NULL for none. */
TERN_API void tern_on_log(tern_log_fn fn, void *user);

/* Sends one line there: `level` is a tern_log_level. */
TERN_API void tern_notice(int level, const char *format, ...) TERN_PRINTF(2, 3);

/* ---- scopes: lifetimes and gradient mode -------------------------------------------------- */

/*
 * An object dies with the scope it was created in. Scopes nest. A scope also sets the gradient mode, so that
 * one construct covers both:
 *
 *     tern_scope s = tern_scope_begin(ctx, TERN_INFERENCE);   with torch.inference_mode():
 *     ...
 *     tern_scope_end(s);
 *
 * Ending a scope also ends every scope opened after it and restores the flags. It never blocks.
 */
enum {
    TERN_NO_GRAD = 1u,    /* torch.no_grad() */
    TERN_INFERENCE = 2u,  /* torch.inference_mode(): results have no version counter */
    TERN_ENABLE_GRAD = 4u /* torch.enable_grad() inside a no-grad scope */
};

/* An open scope. Plain data; its members are Tern's. */
typedef struct tern_scope {
    tern_ctx *ctx;
    uint64_t serial; /* identifies the scope; ending it twice is a no-op */
} tern_scope;

/* Opens a scope within the open one; flags are those above, or 0. */
TERN_API tern_scope tern_scope_begin(tern_ctx *ctx, unsigned flags);

/* Ends it, with all scopes that are still open in it. Ending it twice does nothing. */
TERN_API void tern_scope_end(tern_scope scope);

/* torch.is_grad_enabled() */
TERN_API bool tern_is_grad_enabled(const tern_ctx *ctx);

/* How many scopes are open, not counting the context itself. */
TERN_API int tern_scope_depth(const tern_ctx *ctx);

/*
 * An owner is a scope that is not on the stack: it holds what a module, an optimizer or a loader keeps. It
 * dies with the scope it was created in. Between tern_owner_begin and the matching tern_scope_end, new
 * objects belong to the owner.
 */
typedef struct tern_owner tern_owner;

/* An owner in the open scope. */
TERN_API tern_owner *tern_owner_new(tern_ctx *ctx);

/* Enters the owner: what is made until tern_scope_end lives as long as the owner. */
TERN_API tern_scope tern_owner_begin(tern_owner *owner, unsigned flags);

/* Ends the owner's lifetime early. NULL is allowed. */
TERN_API void tern_owner_free(tern_owner *owner);

/* Calls fn(arg) when the open scope (or the owner that was entered) ends; last in, first out. */
TERN_API tern_status tern_defer(tern_ctx *ctx, void (*fn)(void *arg), void *arg);

/*
 * A scope for the inside of a library function (a module's forward, a composite): temporaries die at its end,
 * while graphs belong to the enclosing scope. `tern_scope_return` ends it and passes one tensor, with its
 * history, to the enclosing scope. From a scope of tern_scope_begin it can return only a tensor without a
 * history, because the graph ends with that scope: otherwise the result is nil, and the error names
 * tern_detach.
 */
TERN_API tern_scope tern_scope_inner(tern_ctx *ctx);

/* Ends a scope but keeps one tensor of it, which moves to the scope around it. Returns the tensor. */
TERN_API tern_tensor *tern_scope_return(tern_scope scope, tern_tensor *result);

/* The same for a value with tensors in it (a tuple of results). */
TERN_API tern_value tern_scope_return_value(tern_scope scope, tern_value result);

/* ---- random numbers ------------------------------------------------------------------------ */

/* torch.manual_seed: seeds the context's default generator. Negative seeds wrap as in PyTorch. */
TERN_API void tern_manual_seed(tern_ctx *ctx, int64_t seed);

/* torch.default_generator. */
TERN_API tern_generator *tern_default_generator(tern_ctx *ctx);

/* torch.Generator(): a mt19937 generator seeded with 67280421310721; lives in the open scope. */
TERN_API tern_generator *tern_generator_new(tern_ctx *ctx);

/* manual_seed(seed). */
TERN_API void tern_generator_seed(tern_generator *generator, int64_t seed);

/* initial_seed(): the last seed that was set. */
TERN_API uint64_t tern_generator_initial_seed(const tern_generator *generator);

/* The state as torch.get_rng_state() lays it out: TERN_RNG_STATE_SIZE bytes, little endian. */
#define TERN_RNG_STATE_SIZE 5056

/* get_state(): writes TERN_RNG_STATE_SIZE bytes. */
TERN_API void tern_generator_get_state(const tern_generator *generator, uint8_t *out_state);

/* Restores a state; an invalid one is an error and changes nothing. */
TERN_API tern_status tern_generator_set_state(tern_generator *generator, const uint8_t *state,
                                              size_t size);

/* Raw draws: 32 bits as the engine's random(), 64 bits as random64() (high word first). */
TERN_API uint32_t tern_generator_next_u32(tern_generator *generator);

/* The next 64 random bits. */
TERN_API uint64_t tern_generator_next_u64(tern_generator *generator);

/* ---- devices -------------------------------------------------------------------------------- */

/* The context's default device by its full name: "cpu_ref", "cuda:0". */
TERN_API const char *tern_device_name(const tern_ctx *ctx);

/* True if that device (cpu_ref) is written to be read, not to be fast: programs may want to reduce the
 * workload. */
TERN_API bool tern_device_is_reference(const tern_ctx *ctx);

/* Why that device was chosen, one line: "TERN_DEVICE=cpu_ref", "auto: the best that opened...". */
TERN_API const char *tern_device_reason(const tern_ctx *ctx);

/* Opens another device for this context, so that tensors can move there. */
TERN_API tern_status tern_device_open(tern_ctx *ctx, const char *device);

/* Waits for all work queued by this context and latches a kernel's error (for example, a bad index). */
TERN_API tern_status tern_synchronize(tern_ctx *ctx);

/*
 * Fused kernels compute several operations in one launch, if the device has them; otherwise the same
 * operations are composed of primitives, with the same results. This switches families off (`composed` true)
 * or on again: names separated by commas ("softmax,norm"), or "all". A new context starts with the families
 * in TERN_COMPOSED switched off. An unknown name is an error that lists the valid ones.
 */
TERN_API tern_status tern_set_composed(tern_ctx *ctx, const char *families, bool composed);

/* The index-th family's name; NULL past the end. */
TERN_API const char *tern_fused_family_at(size_t index);

/* Whether the context's default device has the family's kernels for a floating dtype, forward and
 * backward. */
TERN_API bool tern_fuses(tern_ctx *ctx, const char *family, tern_dtype dtype);

/* Counters of a context's memory and dispatch so far, for tests, summaries and tuning. */
typedef struct tern_stats {
    uint64_t host_allocations; /* calls of the allocation seam */
    uint64_t device_bytes;     /* storage in use by tensors now */
    uint64_t device_bytes_peak;
    uint64_t cached_bytes;    /* storage kept for reuse */
    uint64_t launches;        /* kernels started */
    uint64_t fallbacks;       /* launches that ran on the CPU instead (TERN_FALLBACK) */
    uint64_t host_operations; /* operations of kind host that ran in host memory */
    /* Whose factorisations they use in this process: "plain" for Tern's own, a host library's name ("lapack"); ""
     * before any was needed. */
    const char *host_library;
} tern_stats;

/* Counts of what the context did and holds. */
TERN_API tern_stats tern_stats_of(const tern_ctx *ctx);

/* reset_peak_memory_stats(): the peak becomes what is held now. */
TERN_API void tern_reset_peak(tern_ctx *ctx);

/* Returns unused device memory to the devices (torch.cuda.empty_cache), and cached host memory to the system.
 */
TERN_API void tern_empty_cache(tern_ctx *ctx);

/*
 * The allocation seam of the whole process: every host allocation of the library goes through it. For tests:
 * makes the n-th allocation from now on fail (0: none, 1: the next one). Returns the number of allocations
 * since the last call.
 */
TERN_API uint64_t tern_fail_allocation(uint64_t nth);

#ifdef __cplusplus
}
#endif

#endif

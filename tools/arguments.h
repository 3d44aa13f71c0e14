/*
 * arguments.h: the arguments of a call as JSON writes them, as values that tern_call takes.
 *
 * A text "@x" is the tensor of that name, "inf", "-inf" and "nan" are those floats, "torch.float32" is
 * a dtype, "cpu" as the argument `device` the context's device; all other values stay what they are.
 */
#ifndef TERN_TOOLS_ARGUMENTS_H
#define TERN_TOOLS_ARGUMENTS_H

#include "tern/value.h"

/* Finds the tensor "@name" for an argument ("input", or "tensors.0" for a member of a list). Latches an
 * error in the context and returns NULL where there is none. */
typedef tern_tensor *(*tensor_finder)(void *user, const char *name, const char *argument);

/* A dict by name or a list by position, converted, nested lists and dicts included. None where the
 * context is latched. */
tern_value call_arguments(tern_ctx *ctx, tern_value json, tensor_finder find, void *user);

#endif

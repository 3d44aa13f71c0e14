/* module_file.c: a module's state dict as a file (torch.save(model.state_dict()) and back). */
#include "tern/io.h"
#include "tern/nn.h"

tern_status tern_module_save(tern_module *module, const char *path) {
    if (!module) return TERN_ERR_ARGUMENT;
    tern_ctx *ctx = tern_module_context(module);
    /* A kernel that failed must not reach the file. */
    if (tern_check(ctx) != TERN_OK) return tern_check(ctx);
    tern_scope scope = tern_scope_begin(ctx, TERN_NO_GRAD);
    tern_value_save(ctx, tern_module_state_dict(module), path);
    tern_scope_end(scope);
    return tern_check(ctx);
}

tern_status tern_module_load(tern_module *module, const char *path) {
    if (!module) return TERN_ERR_ARGUMENT;
    tern_ctx *ctx = tern_module_context(module);
    tern_scope scope = tern_scope_begin(ctx, TERN_NO_GRAD);
    tern_value state = tern_value_load(ctx, path);
    if (tern_check(ctx) == TERN_OK) tern_module_load_state_dict(module, state, true);
    tern_scope_end(scope);
    return tern_check(ctx);
}

/* module_file.c: saving and loading the state of modules. */
#include "tern/io.h"
#include "tern/nn.h"

tern_status tern_module_save(tern_module *module, const char *path) {
    if (!module) return TERN_ERR_ARGUMENT;
    tern_ctx *ctx = tern_module_context(module);
    if (!ctx) return TERN_ERR_STATE;
    tern_scope scope = tern_scope_begin(ctx, TERN_NO_GRAD);
    tern_status status = tern_value_save(ctx, tern_module_state_dict(module), path);
    tern_scope_end(scope);
    return status;
}

tern_status tern_module_load(tern_module *module, const char *path) {
    if (!module) return TERN_ERR_ARGUMENT;
    tern_ctx *ctx = tern_module_context(module);
    if (!ctx) return TERN_ERR_STATE;
    tern_scope scope = tern_scope_begin(ctx, TERN_NO_GRAD);
    tern_value state = tern_value_load(ctx, path);
    tern_status status = tern_check(ctx);
    if (status == TERN_OK) status = tern_module_load_state_dict(module, state, true);
    tern_scope_end(scope);
    return status;
}

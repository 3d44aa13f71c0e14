#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "registry.h"
#include "tern/context.h"

static tern_log_fn callback;
static void *callback_user;

void tern_on_log(tern_log_fn fn, void *user) {
    callback = fn;
    callback_user = user;
}

void tern_notice(int level, const char *format, ...) {
    if (!callback || !format) return;
    char line[1024];
    va_list args;
    va_start(args, format);
    int length = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (length >= (int)sizeof line) memcpy(line + sizeof line - 4, "...", 4);
    if (level < TERN_LOG_DEBUG) level = TERN_LOG_DEBUG;
    if (level > TERN_LOG_WARNING) level = TERN_LOG_WARNING;
    callback(callback_user, (tern_log_level)level, line);
}

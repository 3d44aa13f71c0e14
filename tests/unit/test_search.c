/* Where manifests are looked for, and in which order. */
#define _GNU_SOURCE /* setenv */
#include "core/plugin/search.h"

#include "plugin_folder.h"

static tern_search search;

/* "origin path" of the index-th folder. */
static const char *listed(size_t index) {
    static char text[TERN_PATH_SIZE + 64];
    if (index >= search.count) return "";
    snprintf(text, sizeof text, "%s %s", search.dirs[index].origin, search.dirs[index].path);
    return text;
}

Test(search, the_path_variable_replaces_all_else) {
    plugin_folder f = folder_open();
    setenv("TERN_PLUGIN_PATH_ADD", "/more", 1);
    tern_search_collect(&search);
    unsetenv("TERN_PLUGIN_PATH_ADD");
    cr_assert_eq(search.count, 1);
    cr_assert(search.dirs[0].usable);
    cr_assert_str_eq(search.dirs[0].found.path, f.path);
    folder_close(&f);
}

Test(search, otherwise_added_then_user_then_system_then_library) {
    plugin_folder f = folder_open();
    char *home = saved_variable("HOME");
    char *data = saved_variable("XDG_DATA_HOME");
    char *add = saved_variable("TERN_PLUGIN_PATH_ADD");
    unsetenv("TERN_PLUGIN_PATH");
    unsetenv("XDG_DATA_HOME");
    setenv("HOME", "/home/nobody", 1);
    setenv("TERN_PLUGIN_PATH_ADD", "/one::/two", 1);
    tern_search_collect(&search);
    cr_assert_str_eq(listed(0), "TERN_PLUGIN_PATH_ADD /one");
    cr_assert_str_eq(listed(1), "TERN_PLUGIN_PATH_ADD /two");
    cr_assert_str_eq(listed(2), "user /home/nobody/.local/share/tern/plugins.d");
    cr_assert_str_eq(search.dirs[3].origin, "system");
    cr_assert_str_eq(search.dirs[4].origin, "library");
    cr_assert_eq(search.dirs[4].path[0], '/');
    setenv("XDG_DATA_HOME", "/data", 1);
    tern_search_collect(&search);
    cr_assert_str_eq(listed(2), "user /data/tern/plugins.d");
    setenv("XDG_DATA_HOME", "data", 1); /* relative: ignored, as its specification says */
    tern_search_collect(&search);
    cr_assert_str_eq(listed(2), "user /home/nobody/.local/share/tern/plugins.d");
    restore_variable("HOME", home);
    restore_variable("XDG_DATA_HOME", data);
    restore_variable("TERN_PLUGIN_PATH_ADD", add);
    folder_close(&f);
}

Test(search, folders_that_others_can_write_to_are_skipped) {
    plugin_folder f = folder_open();
    chmod(f.path, 0777);
    tern_search_collect(&search);
    cr_assert_not(search.dirs[0].usable);
    cr_assert_not_null(strstr(search.dirs[0].message, "is writable by everyone"));
    chmod(f.path, 0700);
    folder_close(&f);
}

Test(search, more_folders_than_there_is_room_for_are_cut) {
    plugin_folder f = folder_open();
    char path[1024] = "";
    for (int i = 0; i < TERN_SEARCH_MAX + 5; i++) strcat(path, "/nonexistent/x:");
    setenv("TERN_PLUGIN_PATH", path, 1);
    tern_search_collect(&search);
    cr_assert_eq(search.count, TERN_SEARCH_MAX);
    cr_assert_not_null(strstr(search.dirs[TERN_SEARCH_MAX - 1].message, "more than 32 folders"));
    folder_close(&f);
}

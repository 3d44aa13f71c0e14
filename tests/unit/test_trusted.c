/* Which files the loader trusts. Runs in a folder under /tmp, itself a sticky directory of root's. */
#define _GNU_SOURCE /* symlink, mkfifo */
#include "core/plugin/trusted.h"

#include "plugin_folder.h"

static tern_fault walk_fault;
static tern_trusted walked;

static tern_status walk(const char *path) {
    memset(&walk_fault, 0, sizeof walk_fault);
    return tern_trusted_walk(path, &walked, &walk_fault);
}

static void refused(const char *path, tern_status status, const char *words) {
    cr_assert_eq(walk(path), status, "%s: %s", path, walk_fault.message);
    cr_assert_not_null(strstr(walk_fault.message, words), "%s", walk_fault.message);
}

Test(trusted, a_private_file_under_a_sticky_directory_is_trusted) {
    plugin_folder f = folder_open();
    folder_write(&f, "file", "hello");
    cr_assert_eq(walk(folder_file(&f, "file")), TERN_OK, "%s", walk_fault.message);
    cr_assert_str_eq(walked.path, folder_file(&f, "file"));
    cr_assert_eq(walked.size, 5);
    cr_assert_not(walked.is_directory);
    cr_assert(tern_trusted_is(&walked, folder_file(&f, "file")));
    int fd = tern_trusted_open(&walked, &walk_fault);
    char text[8];
    cr_assert_eq(read(fd, text, sizeof text), 5);
    close(fd);
    folder_close(&f);
}

Test(trusted, who_else_may_write_is_refused) {
    plugin_folder f = folder_open();
    folder_write(&f, "file", "hello");
    chmod(folder_file(&f, "file"), 0666);
    refused(folder_file(&f, "file"), TERN_ERR_IO, "is writable by everyone");
    chmod(folder_file(&f, "file"), 0664);
    refused(folder_file(&f, "file"), TERN_ERR_IO, "is writable by its group");
    chmod(folder_file(&f, "file"), 0644);
    cr_assert_eq(walk(folder_file(&f, "file")), TERN_OK);
    chmod(f.path, 0777);
    refused(folder_file(&f, "file"), TERN_ERR_IO, "chmod go-w it");
    chmod(f.path, 0770);
    refused(folder_file(&f, "file"), TERN_ERR_IO, f.path);
    chmod(f.path, 0700);
    folder_close(&f);
}

Test(trusted, a_foreign_owner_is_refused) {
    if (geteuid() != 0) return; /* only root can give a file away */
    plugin_folder f = folder_open();
    folder_write(&f, "file", "hello");
    cr_assert_eq(chown(folder_file(&f, "file"), 4242, 0), 0);
    refused(folder_file(&f, "file"), TERN_ERR_IO, "belongs to another user");
    cr_assert_eq(chown(folder_file(&f, "file"), 0, 0), 0);
    cr_assert_eq(chown(f.path, 4242, 0), 0);
    refused(folder_file(&f, "file"), TERN_ERR_IO, "directory");
    /* The sticky bit excuses root's directories alone. */
    cr_assert_eq(chmod(f.path, 01777), 0);
    refused(folder_file(&f, "file"), TERN_ERR_IO, "belongs to another user");
    cr_assert_eq(chown(f.path, 0, 0), 0);
    cr_assert_eq(chmod(f.path, 01777), 0);
    cr_assert_eq(walk(folder_file(&f, "file")), TERN_OK, "%s", walk_fault.message);
    /* A stranger's link in a sticky directory. */
    cr_assert_eq(symlink("file", folder_file(&f, "link")), 0);
    cr_assert_eq(walk(folder_file(&f, "link")), TERN_OK);
    cr_assert_eq(lchown(folder_file(&f, "link"), 4242, 0), 0);
    refused(folder_file(&f, "link"), TERN_ERR_IO, "is a symbolic link of another user");
    folder_close(&f);
}

Test(trusted, links_are_resolved_and_checked_on_the_way) {
    plugin_folder f = folder_open();
    plugin_folder other = folder_open();
    folder_write(&other, "file", "hello");
    char target[256];
    snprintf(target, sizeof target, "%s/./../%s//file", other.path, strrchr(other.path, '/') + 1);
    cr_assert_eq(symlink(target, folder_file(&f, "link")), 0);
    cr_assert_eq(walk(folder_file(&f, "link")), TERN_OK, "%s", walk_fault.message);
    cr_assert_str_eq(walked.path, folder_file(&other, "file"), "not the real path");
    chmod(other.path, 0777);
    refused(folder_file(&f, "link"), TERN_ERR_IO, "is writable by everyone");
    chmod(other.path, 0700);
    cr_assert_eq(symlink("loop", folder_file(&f, "loop")), 0);
    refused(folder_file(&f, "loop"), TERN_ERR_IO, "symbolic links");
    folder_close(&other);
    folder_close(&f);
}

Test(trusted, what_is_missing_or_odd_is_told) {
    plugin_folder f = folder_open();
    folder_write(&f, "file", "hello");
    refused(folder_file(&f, "missing"), TERN_ERR_NOT_FOUND, "No such file");
    char below[1024];
    snprintf(below, sizeof below, "%s/x", folder_file(&f, "file"));
    refused(below, TERN_ERR_NOT_FOUND, "Not a directory");
    refused("relative/path", TERN_ERR_IO, "is not an absolute path");
    cr_assert_eq(mkfifo(folder_file(&f, "fifo"), 0600), 0);
    refused(folder_file(&f, "fifo"), TERN_ERR_IO, "neither a file nor a directory");
    char *endless = malloc(10000);
    memset(endless, '/', 9999);
    memset(endless + 1, 'x', 200);
    endless[9999] = '\0';
    refused(endless, TERN_ERR_IO, "the path is too long");
    free(endless);
    cr_assert_eq(walk("/"), TERN_OK);
    cr_assert_str_eq(walked.path, "/");
    cr_assert(walked.is_directory);
    folder_close(&f);
}

Test(trusted, a_file_that_was_replaced_is_noticed) {
    plugin_folder f = folder_open();
    folder_write(&f, "file", "hello");
    cr_assert_eq(walk(folder_file(&f, "file")), TERN_OK);
    folder_write(&f, "new", "other");
    char new_path[256];
    snprintf(new_path, sizeof new_path, "%s/new", f.path);
    cr_assert_eq(rename(new_path, folder_file(&f, "file")), 0);
    cr_assert_eq(tern_trusted_open(&walked, &walk_fault), -1);
    cr_assert_not_null(strstr(walk_fault.message, "was replaced"));
    cr_assert_not(tern_trusted_is(&walked, folder_file(&f, "file")));
    folder_close(&f);
}

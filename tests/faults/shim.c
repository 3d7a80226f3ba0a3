/* Loaded before the C library (LD_PRELOAD): counts a process's calls on the files in one
   folder, and makes one of them fail, or kills the process at it.

   SHIM_FOLDER   the folder; calls on other files pass and are not counted
   SHIM_LOG      the log, with one line for each call: its name, a space, its path
   SHIM_AT       the number of the call, from 1; 0 for none
   SHIM_ERRNO    the error with which it fails; 0: kill the process (a write is half done)
   SHIM_ONWARD   1: all later calls fail too (a full disk still reads and removes) */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

static long number(const char *name) {
    const char *text = getenv(name);
    return text ? atol(text) : 0;
}

static int is_ours(const char *path) {
    const char *folder = getenv("SHIM_FOLDER");
    size_t length = folder ? strlen(folder) : 0;
    return length && strncmp(path, folder, length) == 0 &&
           (path[length] == '/' || path[length] == '\0');
}

static void note(const char *name, const char *path) {
    const char *log = getenv("SHIM_LOG");
    char line[PATH_MAX + 32];
    int file, length;
    length = snprintf(line, sizeof line, "%s %s\n", name, path);
    file = syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (file < 0 || syscall(SYS_write, file, line, length) != length) abort();
    syscall(SYS_close, file);
}

/* Count a call; return the error with which it must fail, 0 for none, or -1 to kill. */
static int fate(const char *name, const char *path, int takes_space) {
    static long calls;
    long at = number("SHIM_AT"), error = number("SHIM_ERRNO"), call;
    if (!is_ours(path)) return 0;
    call = __atomic_add_fetch(&calls, 1, __ATOMIC_SEQ_CST);
    note(name, path);
    if (at == 0 || call < at || (call > at && !number("SHIM_ONWARD"))) return 0;
    if (error == ENOSPC && call > at && !takes_space) return 0;
    return error ? (int)error : -1;
}

static int fails(const char *name, const char *path, int takes_space) {
    int error = fate(name, path, takes_space);
    if (error < 0) kill(getpid(), SIGKILL);
    if (error > 0) errno = error;
    return error != 0;
}

static const char *absolute(const char *path, char *buffer) {
    char here[PATH_MAX];
    if (path[0] == '/' || !getcwd(here, sizeof here)) return path;
    snprintf(buffer, 2 * PATH_MAX, "%s/%s", here, path);
    return buffer;
}

static int path_fails(const char *name, const char *path, int takes_space) {
    char buffer[2 * PATH_MAX];
    return fails(name, absolute(path, buffer), takes_space);
}

static const char *path_of(int descriptor, char *buffer) {
    char link[64];
    ssize_t length;
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    length = readlink(link, buffer, PATH_MAX - 1);
    buffer[length > 0 ? length : 0] = '\0';
    return buffer;
}

static int descriptor_fails(const char *name, int descriptor, int takes_space) {
    char buffer[PATH_MAX];
    return fails(name, path_of(descriptor, buffer), takes_space);
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

#define OPENS(name)                                                                  \
    int name(const char *path, int flags, ...) {                                     \
        va_list rest;                                                                \
        mode_t mode;                                                                 \
        va_start(rest, flags);                                                       \
        mode = va_arg(rest, mode_t);                                                 \
        va_end(rest);                                                                \
        return path_fails("open", path, flags & O_CREAT) ? -1                        \
                                                         : REAL(name)(path, flags, mode); \
    }

#define OPENS_AT(name)                                                               \
    int name(int folder, const char *path, int flags, ...) {                         \
        va_list rest;                                                                \
        mode_t mode;                                                                 \
        va_start(rest, flags);                                                       \
        mode = va_arg(rest, mode_t);                                                 \
        va_end(rest);                                                                \
        return path_fails("open", path, flags & O_CREAT)                             \
                   ? -1                                                              \
                   : REAL(name)(folder, path, flags, mode);                          \
    }

#define CALLS(name, takes_space, parameters, arguments)                              \
    int name parameters {                                                            \
        return path_fails(#name, path, takes_space) ? -1 : REAL(name) arguments;     \
    }

OPENS(open)
OPENS(open64)
OPENS_AT(openat)
OPENS_AT(openat64)
CALLS(mkdir, 1, (const char *path, mode_t mode), (path, mode))
CALLS(unlink, 0, (const char *path), (path))
CALLS(rename, 1, (const char *old, const char *path), (old, path))
CALLS(symlink, 1, (const char *to, const char *path), (to, path))

int fsync(int file) {
    return descriptor_fails("fsync", file, 1) ? -1 : REAL(fsync)(file);
}

ssize_t read(int file, void *content, size_t size) {
    return descriptor_fails("read", file, 0) ? -1 : REAL(read)(file, content, size);
}

ssize_t write(int file, const void *content, size_t size) {
    char buffer[PATH_MAX];
    int error = fate("write", path_of(file, buffer), 1);
    if (error < 0) {
        size_t half = REAL(write)(file, content, size / 2);
        kill(getpid(), half == size / 2 ? SIGKILL : SIGABRT);
    }
    if (error > 0) errno = error;
    return error ? -1 : REAL(write)(file, content, size);
}

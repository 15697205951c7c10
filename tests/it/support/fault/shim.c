/* Makes calls of a program fail, for regular files beneath one directory that are open for writing.
 *
 * FAULT_DIRECTORY is that directory. FAULT_CONTROL names a file with one line, "CALL ERRNO AFTER":
 * which call fails, with which error, and after how many bytes (write) or calls (close, fsync).
 * While there is no such file, nothing fails. Each failure adds a line to FAULT_CONTROL.failed.
 *
 * Sockets, pipes and the log are not beneath the directory, so they are not affected. A program that
 * makes system calls without the C library is not affected either: a test counts the failures.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
/* The line that the numbers below are from. */
static char current[128];
static char call_that_fails[32];
static int error_number;
static long left;

/* System calls made here do not come back to this file. */
static void close_directly(int fd) { syscall(SYS_close, fd); }

static int is_concerned(int fd)
{
    const char *directory = getenv("FAULT_DIRECTORY");
    char link[64], path[4096];
    struct stat status;
    int flags = fcntl(fd, F_GETFL);
    if (!directory || flags < 0 || (flags & O_PATH) || (flags & O_ACCMODE) == O_RDONLY)
        return 0;
    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode))
        return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    size_t prefix = strlen(directory);
    if (length < 0)
        return 0;
    path[length] = 0;
    return strncmp(path, directory, prefix) == 0 && path[prefix] == '/';
}

/* Reads the control file; false if there is none. */
static int read_control(const char *control)
{
    char line[sizeof current] = "";
    int fd = syscall(SYS_openat, AT_FDCWD, control, O_RDONLY | O_CLOEXEC, 0);
    if (fd < 0)
        return 0;
    ssize_t length = syscall(SYS_read, fd, line, sizeof line - 1);
    close_directly(fd);
    if (length <= 0)
        return 0;
    if (strcmp(line, current) != 0) {
        strcpy(current, line);
        if (sscanf(line, "%31s %d %ld", call_that_fails, &error_number, &left) != 3)
            return 0;
    }
    return 1;
}

static void count_failure(const char *control, const char *call)
{
    char path[4096];
    snprintf(path, sizeof path, "%s.failed", control);
    int fd = syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd >= 0) {
        syscall(SYS_write, fd, call, strlen(call));
        syscall(SYS_write, fd, "\n", 1);
        close_directly(fd);
    }
}

/* How much of `amount` the call may do: all of it, a part, or -1 with errno, which is a failure. */
static ssize_t allowed(const char *call, int fd, size_t amount)
{
    const char *control = getenv("FAULT_CONTROL");
    int before = errno;
    ssize_t result = amount;
    if (control && is_concerned(fd)) {
        pthread_mutex_lock(&mutex);
        if (read_control(control) && strcmp(call, call_that_fails) == 0) {
            if (left <= 0 && amount > 0) {
                count_failure(control, call);
                before = error_number;
                result = -1;
            } else if ((long)amount > left) {
                result = left;
                left = 0;
            } else {
                left -= amount;
            }
        }
        pthread_mutex_unlock(&mutex);
    }
    errno = before;
    return result;
}

ssize_t write(int fd, const void *bytes, size_t count)
{
    ssize_t most = allowed("write", fd, count);
    return most < 0 ? -1 : syscall(SYS_write, fd, bytes, most);
}

ssize_t writev(int fd, const struct iovec *parts, int count)
{
    size_t sum = 0;
    for (int i = 0; i < count; i++)
        sum += parts[i].iov_len;
    ssize_t most = allowed("write", fd, sum);
    if (most < 0)
        return -1;
    if ((size_t)most == sum)
        return syscall(SYS_writev, fd, parts, count);
    /* A short write is no error: the rest fails at the next call. */
    size_t first = parts[0].iov_len;
    return syscall(SYS_write, fd, parts[0].iov_base, (size_t)most < first ? (size_t)most : first);
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t offset)
{
    ssize_t most = allowed("write", fd, count);
    return most < 0 ? -1 : syscall(SYS_pwrite64, fd, bytes, most, offset);
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t offset)
{
    return pwrite64(fd, bytes, count, offset);
}

int close(int fd)
{
    ssize_t most = allowed("close", fd, 1);
    int error = errno;
    /* As in the kernel, the descriptor is gone in spite of the error. */
    int result = syscall(SYS_close, fd);
    if (most >= 0)
        return result;
    errno = error;
    return -1;
}

int fsync(int fd) { return allowed("fsync", fd, 1) < 0 ? -1 : syscall(SYS_fsync, fd); }

int fdatasync(int fd) { return allowed("fsync", fd, 1) < 0 ? -1 : syscall(SYS_fdatasync, fd); }

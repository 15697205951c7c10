/* Starts a program as another user, without capabilities, with some system calls only: any other
 * one kills it. As systemd does with User= and SystemCallFilter=.
 *
 * confine USER PROGRAM ARGUMENT...
 *
 * The calls are in calls.h, one number and a comma for each. */

#define _GNU_SOURCE
#include <fcntl.h>
#include <grp.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static const unsigned int allowed[] = {
#include "calls.h"
    /* The call of this program that starts the other one. */
    __NR_execveat,
};

enum { CALLS = sizeof allowed / sizeof allowed[0] };

static void check(int result, const char *what)
{
    if (result < 0) {
        perror(what);
        exit(70);
    }
}

int main(int argc, char **argv)
{
    struct sock_filter filter[2 * CALLS + 2];
    size_t count = 0;
    filter[count++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    for (size_t call = 0; call < CALLS; call++) {
        filter[count++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, allowed[call], 0, 1);
        filter[count++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    }
    filter[count++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
    struct sock_fprog program = {.len = (unsigned short)count, .filter = filter};

    if (argc < 3) {
        fprintf(stderr, "usage: confine USER PROGRAM ARGUMENT...\n");
        return 70;
    }
    /* The user may not be able to look it up: it may be in root's home. */
    int executable = open(argv[2], O_PATH | O_CLOEXEC);
    check(executable, argv[2]);
    uid_t user = (uid_t)atoi(argv[1]);
    check(setgroups(0, NULL), "setgroups");
    check(setresgid(user, user, user), "setresgid");
    check(setresuid(user, user, user), "setresuid");
    check(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs");
    check(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), "seccomp");
    check((int)syscall(SYS_execveat, executable, "", argv + 2, environ, AT_EMPTY_PATH), "execveat");
}

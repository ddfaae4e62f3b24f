/// File descriptors 0 to 2 belong to the standard streams, also where whoever started the process closed them: each
/// that is closed is opened onto /dev/null, before anything else can become standard output and be written into.
///
/// A program gets this by linking the library. It cannot wait for main(): libgrpc opens a descriptor while it is
/// loaded, and only the program's own .preinit_array runs before that.
///
/// They are opened the wrong way round, so that using one still fails: a command whose output went nowhere must not
/// report success.
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace {

// Neither the sanitizers nor the libraries that they wrap are ready yet: system calls only.
__attribute__((no_sanitize("address", "thread", "undefined"))) void reserve_standard_streams(int, char**, char**) {
  for (int descriptor = STDIN_FILENO; descriptor <= STDERR_FILENO; ++descriptor) {
    if (::syscall(SYS_fcntl, descriptor, F_GETFD) != -1) continue;
    // The lowest free number is the one that was missing. Without /dev/null there is nothing better to be had.
    (void)::syscall(SYS_openat, AT_FDCWD, "/dev/null", descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY);
  }
}

__attribute__((section(".preinit_array"), used)) void (*const reserve)(int, char**, char**) = reserve_standard_streams;

}  // namespace

// SPDX-License-Identifier: Apache-2.0
//
// bast_test_child: the program that tests of processes start. Its arguments are steps, executed in
// order; it ends with status 0 after the last.
//
//   bast_test_child fds out 1000 exit 3
//   bast_test_child ignore 15 ready hang
//   bast_test_child grandchild exit 0        the grandchild keeps every descriptor and hangs
//
// Steps that report (on standard output, unbuffered, one line each unless noted otherwise):
//   argv          all arguments, argv[0] included, each as "<length>:<bytes>"; ends the steps
//   env           the environment, in the same form
//   cwd           the working directory
//   fds           for each open descriptor: "<number> <F_GETFL in hexadecimal> <target>"
//   signals       "SigBlk <mask>", "SigIgn <mask>", "SigCgt <mask>", in hexadecimal
//   ids           "pid 1", and so on for ppid pgid sid pdeathsig uid euid suid gid egid sgid;
//                 then "groups 1 2 3"; then "umask 22" in octal
//   limit R       "<soft> <hard>" of resource number R, as getrlimit numbers it
//   ready         "ready"
//   say TEXT      TEXT
// Steps that act:
//   cat           copies standard input to standard output until its end
//   drain         reads standard input to its end
//   out N, err N  writes N bytes: "abc..z" repeated, each stream continuing where it stopped
//   close FD      closes a descriptor
//   change_stdin  fails unless standard input is neither writable nor truncatable
//   ignore S      ignores signal S
//   default S     restores the default action of signal S
//   leaver        forks a process that leaves the group and ends with status 9
//   pipe_size N   makes standard output, a pipe, N bytes large
//   grandchild    forks a process that hangs, holding every descriptor; "grandchild <pid>" on
//                 standard error
//   exit N        ends with status N
//   signal S      ends by signal S
//   hang          waits for a signal, at most two minutes, so that no failed test leaves it
//
// Status 120: an unknown or failed step, named on standard error.
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace {

constexpr int wrong_step = 120;
constexpr unsigned lifetime_s = 120;

[[noreturn]] void give_up(const std::string& why) {
  const std::string line = "bast_test_child: " + why + ": " + std::strerror(errno) + "\n";
  (void)!::write(STDERR_FILENO, line.data(), line.size());
  ::_exit(wrong_step);
}

void put(std::string_view text, int fd = STDOUT_FILENO) {
  while (!text.empty()) {
    const ssize_t size = ::write(fd, text.data(), text.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) give_up("write");
    text.remove_prefix(static_cast<std::size_t>(size));
  }
}

void put_line(const std::string& text) { put(text + "\n"); }

void put_counted(char* const* strings) {
  std::string all;
  for (; *strings != nullptr; ++strings) {
    all += std::to_string(std::strlen(*strings)) + ":" + *strings;
  }
  put(all);
}

void put_cwd() {
  std::string path(1 << 16, '\0');
  if (::getcwd(path.data(), path.size()) == nullptr) give_up("getcwd");
  put_line(path.c_str());
}

void put_descriptors() {
  DIR* const directory = ::opendir("/proc/self/fd");
  if (directory == nullptr) give_up("/proc/self/fd");
  std::vector<int> open;
  while (const dirent* const entry = ::readdir(directory)) {
    const int fd = std::atoi(entry->d_name);
    if (entry->d_name[0] != '.' && fd != ::dirfd(directory)) open.push_back(fd);
  }
  ::closedir(directory);
  std::sort(open.begin(), open.end());
  for (const int fd : open) {
    std::string target(4096, '\0');
    const std::string link = "/proc/self/fd/" + std::to_string(fd);
    const ssize_t size = ::readlink(link.c_str(), target.data(), target.size());
    target.resize(size < 0 ? 0 : static_cast<std::size_t>(size));
    char flags[32];
    std::snprintf(flags, sizeof flags, " %x ", static_cast<unsigned>(::fcntl(fd, F_GETFL)));
    put_line(std::to_string(fd) + flags + target);
  }
}

void put_signals() {
  std::FILE* const status = std::fopen("/proc/self/status", "re");
  if (status == nullptr) give_up("/proc/self/status");
  char line[512];
  while (std::fgets(line, sizeof line, status) != nullptr) {
    char name[16];
    char mask[32];
    if (std::sscanf(line, "%15[A-Za-z]: %31s", name, mask) != 2) continue;
    const std::string_view field = name;
    if (field == "SigBlk" || field == "SigIgn" || field == "SigCgt") {
      put_line(std::string(field) + " " + mask);
    }
  }
  std::fclose(status);
}

void put_number(const char* name, std::int64_t value) {
  put_line(std::string(name) + " " + std::to_string(value));
}

void put_ids() {
  put_number("pid", ::getpid());
  put_number("ppid", ::getppid());
  put_number("pgid", ::getpgrp());
  put_number("sid", ::getsid(0));
  int death_signal = 0;
  ::prctl(PR_GET_PDEATHSIG, &death_signal);
  put_number("pdeathsig", death_signal);
  uid_t users[3];
  gid_t groups[3];
  if (::getresuid(&users[0], &users[1], &users[2]) != 0) give_up("getresuid");
  if (::getresgid(&groups[0], &groups[1], &groups[2]) != 0) give_up("getresgid");
  const char* const user_names[] = {"uid", "euid", "suid"};
  const char* const group_names[] = {"gid", "egid", "sgid"};
  for (int i = 0; i < 3; ++i) put_number(user_names[i], users[i]);
  for (int i = 0; i < 3; ++i) put_number(group_names[i], groups[i]);
  std::vector<gid_t> more(static_cast<std::size_t>(::getgroups(0, nullptr)));
  const int count = ::getgroups(static_cast<int>(more.size()), more.data());
  std::string line = "groups";
  for (int i = 0; i < count; ++i) line += " " + std::to_string(more[static_cast<std::size_t>(i)]);
  put_line(line);
  const mode_t mask = ::umask(0);
  ::umask(mask);
  char octal[32];
  std::snprintf(octal, sizeof octal, "umask %o", mask);
  put_line(octal);
}

void put_limit(int resource) {
  rlimit limit{};
  if (::getrlimit(static_cast<__rlimit_resource_t>(resource), &limit) != 0) give_up("getrlimit");
  put_line(std::to_string(limit.rlim_cur) + " " + std::to_string(limit.rlim_max));
}

void consume_input(bool copy) {
  static char buffer[1 << 16];
  for (;;) {
    const ssize_t size = ::read(STDIN_FILENO, buffer, sizeof buffer);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) give_up("read");
    if (size == 0) return;
    if (copy) put({buffer, static_cast<std::size_t>(size)});
  }
}

void flood(int fd, std::uint64_t count) {
  static std::uint64_t position[3];
  std::string chunk;
  std::uint64_t& at = position[fd];
  while (count > 0) {
    const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(count, 1 << 16));
    chunk.resize(size);
    for (char& c : chunk) c = static_cast<char>('a' + at++ % 26);
    put(chunk, fd);
    count -= size;
  }
}

[[noreturn]] void hang() {
  for (;;) ::pause();
}

void fork_grandchild() {
  const pid_t pid = ::fork();
  if (pid < 0) give_up("fork");
  if (pid == 0) {
    ::alarm(lifetime_s);  // fork does not inherit an alarm.
    hang();
  }
  put("grandchild " + std::to_string(pid) + "\n", STDERR_FILENO);
}

void fork_leaver() {
  const pid_t pid = ::fork();
  if (pid < 0) give_up("fork");
  if (pid != 0) return;
  if (::setpgid(0, 0) != 0) give_up("setpgid");
  ::_exit(9);
}

void end_by(int signal_number) {
  ::signal(signal_number, SIG_DFL);
  ::raise(signal_number);
  hang();
}

class script {
 public:
  script(int count, char** arguments) : arguments_(arguments), rest_(arguments + 1) {
    end_ = arguments + count;
  }

  void run() {
    while (rest_ != end_) {
      const std::string_view step = *rest_++;
      if (!tell(step) && !act(step)) give_up("unknown step " + std::string(step));
    }
  }

 private:
  const char* word() {
    if (rest_ == end_) give_up("a step lacks its argument");
    return *rest_++;
  }
  int number() { return std::atoi(word()); }

  bool tell(std::string_view step) {
    if (step == "argv") {
      put_counted(arguments_);
      rest_ = end_;
    } else if (step == "env") {
      put_counted(environ);
    } else if (step == "cwd") {
      put_cwd();
    } else if (step == "fds") {
      put_descriptors();
    } else if (step == "signals") {
      put_signals();
    } else if (step == "ids") {
      put_ids();
    } else if (step == "limit") {
      put_limit(number());
    } else if (step == "ready") {
      put_line("ready");
    } else if (step == "say") {
      put_line(word());
    } else {
      return false;
    }
    return true;
  }

  bool act(std::string_view step) {
    if (step == "cat" || step == "drain") {
      consume_input(step == "cat");
    } else if (step == "out" || step == "err") {
      flood(step == "out" ? STDOUT_FILENO : STDERR_FILENO, std::strtoull(word(), nullptr, 10));
    } else if (step == "change_stdin") {
      if (::write(STDIN_FILENO, "x", 1) >= 0 || ::ftruncate(STDIN_FILENO, 0) == 0)
        give_up("it changed");
    } else if (step == "close") {
      ::close(number());
    } else if (step == "ignore") {
      ::signal(number(), SIG_IGN);
    } else if (step == "default") {
      ::signal(number(), SIG_DFL);
    } else if (step == "leaver") {
      fork_leaver();
    } else if (step == "pipe_size") {
      if (::fcntl(STDOUT_FILENO, F_SETPIPE_SZ, number()) < 0) give_up("F_SETPIPE_SZ");
    } else if (step == "grandchild") {
      fork_grandchild();
    } else if (step == "exit") {
      ::_exit(number());
    } else if (step == "signal") {
      end_by(number());
    } else if (step == "hang") {
      hang();
    } else {
      return false;
    }
    return true;
  }

  char** arguments_;
  char** rest_;
  char** end_ = nullptr;
};

}  // namespace

int main(int count, char** arguments) {
  ::alarm(lifetime_s);
  script(count, arguments).run();
  return 0;
}

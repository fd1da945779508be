// SPDX-License-Identifier: Apache-2.0
//
// The C library: calls that programs make casually in coroutines.
#include "costs.hpp"

#include <fcntl.h>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <ctime>

namespace costs {
namespace {

void print_int() {
  char text[64];
  std::snprintf(text, sizeof text, "%d", 12345);
  keep(text);
}
void print_double() {
  char text[64];
  std::snprintf(text, sizeof text, "%f", 1234.5678);
  keep(text);
}
void print_unbuffered() {
  std::FILE* const null = std::fopen("/dev/null", "w");
  if (null == nullptr) return;
  std::setvbuf(null, nullptr, _IONBF, 0);
  std::fprintf(null, "%d %s\n", 12345, "text");
  std::fclose(null);
}
void print_time() {
  const std::time_t now = 1'700'000'000;
  std::tm parts{};
  ::localtime_r(&now, &parts);
  char text[64];
  std::strftime(text, sizeof text, "%A %d %B %H:%M", &parts);
  keep(text);
}
void resolve_path() { std::free(::realpath("/usr/share/zoneinfo/../zoneinfo", nullptr)); }
void sort_ints() {
  int values[256];
  for (int i = 0; i < 256; ++i) values[i] = (i * 7919) % 256;
  std::qsort(values, 256, sizeof *values, [](const void* a, const void* b) {
    return *static_cast<const int*>(a) - *static_cast<const int*>(b);
  });
  keep(values);
}
void look_up(const char* name) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (::getaddrinfo(name, "443", &hints, &found) == 0) ::freeaddrinfo(found);
}

}  // namespace

std::span<const call> c_library() {
  static const call all[] = {
      {"malloc and free, 100 B", "malloc and free, 100 B, again",
       [] {
         void* const block = std::malloc(100);
         keep(block);
         std::free(block);
       }},
      {"snprintf %d", "snprintf %d, again", print_int},
      {"snprintf %f", "snprintf %f, again", print_double},
      {"fprintf, unbuffered", "fprintf, unbuffered, again", print_unbuffered},
      {"localtime_r and strftime", "localtime_r and strftime, again", print_time},
      {"realpath", "realpath, again", resolve_path},
      {"qsort, 256 ints", "qsort, 256 ints, again", sort_ints},
      {"getaddrinfo, localhost", "getaddrinfo, localhost, again", [] { look_up("localhost"); }},
      {"getaddrinfo, no such name", "getaddrinfo, no such name, again",
       [] { look_up("no-such-name.invalid"); }, 3},
  };
  return all;
}

}  // namespace costs

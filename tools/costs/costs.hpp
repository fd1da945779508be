// SPDX-License-Identifier: Apache-2.0
//
// Calls whose stack use is measured. Each runs in its own coroutine, first under one spawn site and
// then again under another: the first call of many functions resolves symbols, loads locales and
// reads configuration files.
//
//   static const call all[] = {{"snprintf %d", "snprintf %d, again", [] { ... }}};
#pragma once

#include <span>

namespace costs {

struct call {
  const char* first;  // the labels
  const char* again;
  void (*run)();
  int times = 20;  // the first included
};

/// The calls of each file.
std::span<const call> c_library();
std::span<const call> standard_library();
std::span<const call> sqlite();
std::span<const call> pcre();
std::span<const call> lua();
std::span<const call> xml();
std::span<const call> json();
std::span<const call> tls();

/// Keeps a value from being optimised away.
template <class T>
void keep(const T& value) {
  asm volatile("" : : "r"(&value) : "memory");
}

}  // namespace costs

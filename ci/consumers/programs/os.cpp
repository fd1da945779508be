// SPDX-License-Identifier: Apache-2.0

#include <bast/os.hpp>

int main() {
  const auto page = bast::os::map(bast::os::page_bytes());
  if (!page) return 1;
  **page = std::byte{1};
  bast::os::release(*page, bast::os::page_bytes());
  return 0;
}

// SPDX-License-Identifier: Apache-2.0
#include "model/command_fixture.hpp"

#include <stdlib.h>
#include <sys/stat.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace bast::model {

namespace {

namespace files = std::filesystem;

void require(bool holds, const char* what) {
  if (holds) return;
  std::perror(what);
  std::abort();
}

/// 254 bytes, one less than a name may have.
std::string every_byte_of_names() {
  std::string all;
  for (int c = 1; c <= 255; ++c) {
    if (c != '/') all += static_cast<char>(c);
  }
  return all;
}

void make_plain_file(const std::string& path) {
  std::ofstream(path) << "not a program\n";
  require(::chmod(path.c_str(), 0644) == 0, path.c_str());
}

}  // namespace

const command_fixture& command_fixture::get() {
  static const command_fixture only;
  return only;
}

command_fixture::command_fixture() {
  std::string name = files::temp_directory_path() / "bast.XXXXXX";
  require(::mkdtemp(name.data()) != nullptr, name.c_str());
  root_ = name;
  odd_ = root_ + "/" + every_byte_of_names();
  relative_ = files::relative(root_);
  for (const std::string& directory :
       {root_ + "/bin", root_ + "/other", root_ + "/bin/folder", odd_}) {
    require(::mkdir(directory.c_str(), 0755) == 0, directory.c_str());
  }
  files::create_symlink(BAST_TEST_CHILD, root_ + "/bin/tool");
  files::create_symlink(BAST_TEST_CHILD, root_ + "/other/other");
  make_plain_file(root_ + "/bin/plain");
  make_plain_file(root_ + "/other/tool");
}

command_fixture::~command_fixture() {
  std::error_code ignored;
  files::remove_all(root_, ignored);
}

command_fixture::choice command_fixture::program(std::size_t number,
                                                 const std::string& in_hand) const {
  switch (number % programs) {
    case 0: return {root_ + "/bin/tool"};
    case 1: return {relative_ + "/bin/tool"};
    case 2: return {"tool"};
    case 3: return {"other"};
    case 4: return {"bast-no-such-program"};
    case 5: return {root_ + "/bin/plain"};
    case 6: return {root_ + "/missing/tool"};
    case 7: return {root_ + "/bin/folder"};
    default: return {.text = in_hand, .safe = false};
  }
}

std::string command_fixture::directory(std::uint16_t value, const std::string& in_hand) const {
  switch (value) {
    case 0: return root_;
    case 1: return relative_ + "/bin";
    case 2: return odd_;
    case 3: return root_ + "/missing";
    case 4: return root_ + "/bin/plain";
    case 5: return ".";
    case 6: return "";
    default: return in_hand;
  }
}

std::string command_fixture::search_path(std::uint16_t value) const {
  const std::string entries[] = {root_ + "/bin", root_ + "/other", root_ + "/missing",
                                 relative_ + "/bin", ""};
  constexpr std::size_t count = std::size(entries);
  return entries[value % count] + ":" + entries[value / count % count];
}

std::string command_fixture::name(std::uint16_t value) {
  using namespace std::string_literals;
  const std::string names[] = {"A",    "AB",         "B",       "b",     "HOME",
                               "PATH", "\xff\xfe",   "A B.c\n", "PATHS", "_",
                               "LANG", "BAST_FUZZ2", ""s,       "A=B"s,  "A\0B"s};
  return names[value % std::size(names)];
}

}  // namespace bast::model

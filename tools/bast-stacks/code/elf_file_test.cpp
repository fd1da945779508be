// SPDX-License-Identifier: Apache-2.0
#include "code/elf_file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "code/code_file.hpp"

namespace bast_stacks {
namespace {

std::string error_of(const std::string& path) {
  const auto file = elf_file::open(path);
  return file ? "" : file.error().what;
}

std::shared_ptr<elf_file> known() {
  auto file = elf_file::open(BAST_KNOWN_FRAMES);
  EXPECT_TRUE(file);
  return file ? *file : nullptr;
}

TEST(ElfFile, SaysWhatIsWrongWithAFile) {
  EXPECT_EQ(error_of("/no/such/file"), "/no/such/file cannot be opened: No such file or directory");
  EXPECT_EQ(error_of("/etc/passwd"), "/etc/passwd is not an ELF file");
  EXPECT_EQ(error_of("/etc"), "/etc is not a file");
  EXPECT_EQ(error_of("/dev/null"), "/dev/null is not a file");
}

TEST(ElfFile, RefusesBytesThatAreNone) {
  const std::uint8_t bytes[] = {0x7f, 'E', 'L', 'F', 1, 1, 1};
  EXPECT_FALSE(elf_file::open(bytes, "bytes"));
  EXPECT_FALSE(elf_file::open(byte_span{}, "nothing"));
}

TEST(ElfFile, FindsFunctionsByNameAndAddress) {
  const auto file = known();
  const auto addresses = file->addresses_of("chain_root");
  ASSERT_EQ(addresses.size(), 1U);
  const auto* const found = file->function_at(addresses[0] + 4);
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(found->name, "chain_root");
  EXPECT_EQ(file->function_at(1), nullptr);
  EXPECT_TRUE(file->addresses_of("no_such_function").empty());
}

TEST(ElfFile, KnowsWhatTheDynamicLinkerReads) {
  const auto file = known();
  EXPECT_THAT(file->needed(), ::testing::Contains(::testing::HasSubstr("known_library")));
  EXPECT_TRUE(file->binds_now());
  EXPECT_FALSE(file->run_path().empty());
}

TEST(ElfFile, NeitherAddressesNorSizesLeaveAFile) {
  const auto file = known();
  const auto address = file->addresses_of("chain_root").at(0);
  EXPECT_EQ(file->code_at(address, 16).size(), 16U);
  EXPECT_LT(file->code_at(address, ~std::uint64_t{0}).size(), std::uint64_t{1} << 20);
  EXPECT_TRUE(file->code_at(~std::uint64_t{0}, 16).empty());
}

TEST(CodeFile, KnowsTheExtentOfAFunction) {
  const auto file = code_file::open(BAST_KNOWN_FRAMES);
  ASSERT_TRUE(file);
  const auto address = (*file)->elf().addresses_of("chain_middle").at(0);
  const auto extent = (*file)->extent_at(address + 10);
  ASSERT_TRUE(extent);
  EXPECT_EQ(extent->low, address);
  EXPECT_EQ((*file)->name_at(address + 10), "chain_middle");
  EXPECT_FALSE((*file)->extent_at(1));
}

}  // namespace
}  // namespace bast_stacks

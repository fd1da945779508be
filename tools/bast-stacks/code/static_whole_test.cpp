// SPDX-License-Identifier: Apache-2.0
//
// A program made by hand with a function for each way to call another: the whole report of each,
// alone and with every annotation that changes it.
#include <elf.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "code/static.hpp"
#include "code/testing/decoded_forms.hpp"
#include "code/testing/made_elf.hpp"
#include "model/test_whole.hpp"

namespace bast_stacks {
namespace {

using test::made_relocation;
using test::made_symbol;
using test::put;

/*
  root: sub $0x18,%rsp
   call helper
   call direct
   add $0x18,%rsp
   ret
  helper: sub $0x108,%rsp
   call chosen
   add $0x108,%rsp
   ret
  direct: push %rbx
   pop %rbx
   ret
  weak_root: push %rbx
   call *slot_weak(%rip)
   pop %rbx
   ret
  lazy_root: push %rbx
   call *slot_lazy(%rip)
   pop %rbx
   ret
  constant_root: push %rbx
   call *slot_local(%rip)
   pop %rbx
   ret
  writable_root: push %rbx
   call *slot_data(%rip)
   pop %rbx
   ret
  missing_root: sub $0x28,%rsp
   call *slot_missing(%rip)
   add $0x28,%rsp
   ret
  ifunc: lea chosen(%rip),%rax
   lea root_end(%rip),%rdx
   lea ifunc(%rip),%rcx
   lea other_tail(%rip),%rdx
   ret
  chosen: sub $0x48,%rsp
   add $0x48,%rsp
   ret
  tail_root: sub $0x28,%rsp
   add $0x28,%rsp
   jmp other_tail
  other_tail: sub $0x88,%rsp
   add $0x88,%rsp
   ret
  indirect_root: push %rbx
   call *%rax
   pop %rbx
   ret
  here_root: call 1f
  1: pop %rax
   call ifunc
   jmp *slot_chosen(%rip)
  dynamic_root: sub %rdi,%rsp
   call helper
   add $8,%rsp
   ret
  recursive_root: push %rbx
   call recursive_root
   pop %rbx
   ret
  mutual_a: push %rbx
   call mutual_b
   pop %rbx
   ret
  mutual_b: sub $0x18,%rsp
   call mutual_a
   call direct
   add $0x18,%rsp
   ret
  root_end: nop
*/
constexpr char program_code[] = R"(4883ec18e817000000e8320000004883c418c366662e0f1f8400000000006690
4881ec08010000e8f40000004881c408010000c366662e0f1f84000000000090
535bc366662e0f1f84000000000066662e0f1f8400000000000f1f8000000000
53ff15991f00005bc366662e0f1f84000000000066662e0f1f84000000000090
53ff15811f00005bc366662e0f1f84000000000066662e0f1f84000000000090
53ff15691f00005bc366662e0f1f84000000000066662e0f1f84000000000090
53ff15392f00005bc366662e0f1f84000000000066662e0f1f84000000000090
4883ec28ff152e1f00004883c428c366662e0f1f840000000000660f1f440000
488d0519000000488d1525010000488d0debffffff488d1544000000c30f1f00
4883ec484883c448c366662e0f1f84000000000066662e0f1f84000000000090
4883ec284883c428eb1666662e0f1f84000000000066662e0f1f840000000000
4881ec880000004881c488000000c366662e0f1f840000000000660f1f440000
53ffd05bc366662e0f1f84000000000066662e0f1f8400000000000f1f440000
e80000000058e855ffffffff256f1e000066662e0f1f8400000000000f1f4000
4829fce858feffff4883c408c366662e0f1f8400000000000f1f840000000000
53e8faffffff5bc366662e0f1f84000000000066662e0f1f8400000000006690
53e81a0000005bc366662e0f1f84000000000066662e0f1f8400000000006690
4883ec18e8d7ffffffe812feffff4883c418c390)";

test::made_elf made_program(bool binds_now) {
  test::made_texts names;
  const auto code = [] {
    std::string hex;
    for (const char letter : std::string_view(program_code))
      if (letter != '\n') hex += letter;
    return test::bytes_of_hex(hex);
  }();
  test::byte_list dynamic_symbols;
  put(dynamic_symbols, Elf64_Sym{});
  put(dynamic_symbols, made_symbol(names.add("nowhere"), STT_FUNC, 0, 0, SHN_UNDEF, STB_WEAK));
  put(dynamic_symbols, made_symbol(names.add("_Z7missingi"), STT_FUNC, 0, 0, SHN_UNDEF));
  put(dynamic_symbols, made_symbol(names.add("direct"), STT_FUNC, 0x1040, 32));
  test::byte_list symbols;
  put(symbols, Elf64_Sym{});
  std::uint64_t at = 0x1000;
  for (const char* const name :
       {"root", "helper", "", "weak_root", "lazy_root", "constant_root", "writable_root",
        "missing_root", "ifunc", "chosen", "tail_root", "other_tail", "indirect_root", "here_root",
        "dynamic_root", "recursive_root", "mutual_a", "mutual_b"}) {
    const bool chooses = std::string_view(name) == "ifunc";
    if (*name != '\0')
      put(symbols, made_symbol(names.add(name), chooses ? STT_GNU_IFUNC : STT_FUNC, at,
                               at == 0x1220 ? 0x13 : 32));
    at += 32;
  }
  // No symbol gives its end.
  put(symbols, made_symbol(names.add("endless"), STT_FUNC, 0x1233));
  test::byte_list relocations;
  put(relocations, made_relocation(0x3000, 1, R_X86_64_GLOB_DAT, 0));
  put(relocations, made_relocation(0x3010, 0, R_X86_64_RELATIVE, 0x1120));
  put(relocations, made_relocation(0x3018, 2, R_X86_64_GLOB_DAT, 0));
  put(relocations, made_relocation(0x3020, 0, R_X86_64_IRELATIVE, 0x1100));
  put(relocations, made_relocation(0x4000, 0, R_X86_64_RELATIVE, 0x1120));
  test::byte_list lazy;
  put(lazy, made_relocation(0x3008, 3, R_X86_64_JUMP_SLOT, 0));
  test::byte_list dynamic;
  put(dynamic, std::int64_t{DT_NEEDED});
  put(dynamic, std::uint64_t{names.add("libnowhere.so.1")});
  put(dynamic, std::int64_t{DT_FLAGS});
  put(dynamic, static_cast<std::uint64_t>(binds_now ? DF_BIND_NOW : 0));
  return {.sections = {{".text", SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR, 0x1000, code},
                       {".dynsym", SHT_DYNSYM, SHF_ALLOC, 0x400, dynamic_symbols, 3},
                       {".dynstr", SHT_STRTAB, SHF_ALLOC, 0x600, names.bytes},
                       {".rela.dyn", SHT_RELA, SHF_ALLOC, 0x700, relocations, 2},
                       {".rela.plt", SHT_RELA, SHF_ALLOC, 0x900, lazy, 2},
                       {".symtab", SHT_SYMTAB, 0, 0, symbols, 3},
                       {".got", SHT_PROGBITS, SHF_ALLOC | SHF_WRITE, 0x3000, test::byte_list(64)},
                       {".data", SHT_PROGBITS, SHF_ALLOC | SHF_WRITE, 0x4000, test::byte_list(64)},
                       {".dynamic", SHT_DYNAMIC, SHF_ALLOC, 0x2800, dynamic, 3}}};
}

/// A directory for the duration of a test.
class made_directory {
 public:
  made_directory() : path_(testing::TempDir() + fmt::format("bast_made_{}", ::getpid())) {
    std::filesystem::create_directory(path_);
  }
  ~made_directory() { std::filesystem::remove_all(path_); }
  made_directory(const made_directory&) = delete;
  made_directory& operator=(const made_directory&) = delete;

  std::string path(const std::string& name) const { return path_ + "/" + name; }
  std::string write(const std::string& name, std::string_view bytes) const {
    std::ofstream(path(name), std::ios::binary) << bytes;
    return path(name);
  }
  std::string write(const std::string& name, const test::byte_list& bytes) const {
    return write(name, std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
  }
  /// A text with this directory removed.
  std::string without(std::string text) const {
    for (auto at = text.find(path_ + "/"); at != std::string::npos; at = text.find(path_ + "/"))
      text.erase(at, path_.size() + 1);
    return text;
  }

 private:
  std::string path_;
};

std::string report_of(const made_directory& in, static_options options, const std::string& notes) {
  if (!notes.empty()) options.annotations = {in.write("notes", notes)};
  const auto report = analyse(options);
  return report ? static_text(*report, {.details = true})
                : fmt::format("{}: {}\n{}\n", report.error().status, report.error().what,
                              report.error().remedy);
}

TEST(StaticWhole, EveryWayToCall) {
  const made_directory in;
  std::string text;
  for (const bool now : {false, true}) {
    const auto program = in.write("made", made_program(now).image());
    for (const char* const root :
         {"root", "direct", "weak_root", "lazy_root", "constant_root", "writable_root",
          "missing_root", "ifunc", "tail_root", "indirect_root", "here_root", "dynamic_root",
          "recursive_root", "mutual_a", "mutual_b", "endless", "main"})
      text += report_of(in, {.program = program, .roots = {root}}, "") + '\n';
  }
  text += report_of(
      in, {.program = in.write("made", made_program(true).image()), .roots = {"tail_root", "root"}},
      "");
  test::expect_whole("code/whole/static_calls.txt", in.without(text));
}

TEST(StaticWhole, EveryAnnotation) {
  const made_directory in;
  const auto program = in.write("made", made_program(true).image());
  std::string text;
  const std::pair<const char*, const char*> all[] = {
      {"missing_root", "external missing <= 500\n"},
      {"missing_root", "external missing(int) <= 20\n"},
      {"missing_root", "external _Z7missingi <= 500\nexternal missing <= 900\n"},
      {"missing_root", "ignore missing\n"},
      {"missing_root", "ignore other\nrecursion missing <= 3\n"},
      {"missing_root", "external other <= 5\nexternal missing <= 7\n"},
      {"root", "ignore helper\n"},
      {"root", "external helper <= 77\nexternal chosen <= 1000\n"},
      {"root", "external chosen <= 1000\n"},
      {"root", "external root <= 5\n"},
      {"indirect_root", "edge indirect_root -> chosen\n"},
      {"indirect_root", "edge indirect_root -> chosen\nedge indirect_root -> other_tail\n"},
      {"indirect_root", "edge indirect_root -> nothing\nedge indirect_root -> chosen\n"},
      {"indirect_root", "edge root -> chosen\n"},
      {"writable_root", "edge writable_root -> other_tail\n"},
      {"dynamic_root", "alloca dynamic_root <= 3000\n"},
      {"dynamic_root", "alloca helper <= 3000\n"},
      {"recursive_root", "recursion recursive_root <= 0\n"},
      {"recursive_root", "recursion recursive_root <= 1\n"},
      {"recursive_root", "recursion recursive_root <= 7\n"},
      {"mutual_a", "recursion mutual_b <= 3\n"},
      {"mutual_a", "recursion mutual_a <= 3\nrecursion mutual_b <= 5\n"},
      {"mutual_b", "recursion mutual_a <= 2\n"},
      {"mutual_b", "edge mutual_b -> nothing\n"},
      {"lazy_root", "external direct <= 4000\n"}};
  for (const auto& [root, notes] : all)
    text +=
        fmt::format("{}{}\n", notes, report_of(in, {.program = program, .roots = {root}}, notes));
  test::expect_whole("code/whole/static_annotations.txt", in.without(text));
}

TEST(StaticWhole, ShippedAnnotationsAndUsage) {
  const made_directory in;
  const auto program = in.write("made", made_program(true).image());
  const auto shipped = in.write("shipped", "ignore missing\nignore nobody\nexternal helper <= 9\n");
  std::string text;
  for (const char* const root : {"missing_root", "root"}) {
    static_options options{.program = program, .roots = {root}, .shipped = shipped};
    text += report_of(in, options, "");
    text += report_of(in, options, "external helper <= 50\n");
    options.shipped += "_gone";
    text += report_of(in, options, "") + '\n';
  }
  std::filesystem::create_directory(in.path("uses"));
  in.write("uses/a.su",
           "a.c:1:1:dynamic_root\t500\tdynamic,bounded\na.c:2:1:endless\t333\tstatic\nnonsense\n");
  for (const char* const root : {"dynamic_root", "endless", "root"})
    text +=
        report_of(in, {.program = program, .roots = {root}, .stack_usage = {in.path("uses")}}, "") +
        '\n';
  in.write("uses/a.su", "a.c:1:1:dynamic_root\t500\tdynamic\n");
  text += report_of(
      in, {.program = program, .roots = {"dynamic_root"}, .stack_usage = {in.path("uses")}}, "");
  // If the two differ, the larger frame counts, and the difference is listed.
  in.write("uses/a.su", "a.c:1:1:root\t400\tstatic\na.c:2:1:helper\t1\tstatic\n");
  text +=
      report_of(in, {.program = program, .roots = {"root"}, .stack_usage = {in.path("uses")}}, "") +
      '\n';
  auto stripped = made_program(true);
  stripped.sections[5].name = ".gone";
  stripped.sections[5].type = SHT_PROGBITS;
  text += report_of(in, {.program = in.write("made", stripped.image()), .roots = {"root"}}, "");
  test::expect_whole("code/whole/static_shipped.txt", in.without(text));
}

}  // namespace
}  // namespace bast_stacks

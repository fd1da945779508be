// SPDX-License-Identifier: Apache-2.0
//
// Functions of a few instructions, each for one rule of `function_shape`: the stack use at each of
// its instructions and calls is compared.
#include <elf.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <string>
#include <vector>

#include "code/function_shape.hpp"
#include "code/testing/decoded_forms.hpp"
#include "code/testing/made_elf.hpp"
#include "model/test_whole.hpp"

namespace bast_stacks {
namespace {

constexpr std::uint64_t function_at = 0x1000;

// One per line: purpose | rows of its unwind table | bytes | assembler syntax. A row is "s0-4+8":
// from 0 to before 4 the CFA is 8 above sp; f of the frame pointer, o of another.
constexpr char x86_shapes[] = R"(red zone used to its end||89442480c3|mov %eax,-0x80(%rsp); ret
red zone and one byte more||8984247fffffffc3|mov %eax,-0x81(%rsp); ret
a call with nothing pushed||e800100000c3|call .+0x1005; ret
pushes without rows||534883ec18e8001000004883c4185bc3|push %rbx; sub $0x18,%rsp; call .+0x1005; add $0x18,%rsp; pop %rbx; ret
pushes with rows|s0-1+8 s1-5+16 s5-10+40 s10-14+16 s14-99+8|534883ec18e8001000004883c4185bc3|push %rbx; sub $0x18,%rsp; call .+0x1005; add $0x18,%rsp; pop %rbx; ret
assembly pushes what no row knows|s0-99+8|539ce800100000585bc3|push %rbx; pushfq; call .+0x1005; pop %rax; pop %rbx; ret
a row that begins counts again|s0-1+8 s1-7+16 s7-99+8|5351e80010000059c3|push %rbx; push %rcx; call .+0x1005; pop %rcx; ret
frame pointer|s0-1+8 s1-4+16 f4-99+16|554889e54883ec20e8001000008945e8898560ffffffc9c3|push %rbp; mov %rsp,%rbp; sub $0x20,%rsp; call .+0x1005; mov %eax,-0x18(%rbp); mov %eax,-0xa0(%rbp); leave; ret
below the frame pointer one byte too far|s0-1+8 s1-4+16 f4-99+16|554889e589857fffffff894580c9c3|push %rbp; mov %rsp,%rbp; mov %eax,-0x81(%rbp); mov %eax,-0x80(%rbp); leave; ret
frame pointer without rows||554889e54883ec208945d0e800100000c9c3|push %rbp; mov %rsp,%rbp; sub $0x20,%rsp; mov %eax,-0x30(%rbp); call .+0x1005; leave; ret
a part that begins with a frame|f0-99+48|e8001000004883ec08e800110000e9fbfcffff|call .+0x1005; sub $8,%rsp; call .+0x1105; jmp .-0x300
alloca|s0-1+8 s1-4+16 f4-99+16|554889e54829c4e800100000c9c3|push %rbp; mov %rsp,%rbp; sub %rax,%rsp; call .+0x1005; leave; ret
alloca at the end||4883ec084829c4|sub $8,%rsp; sub %rax,%rsp
lost and found again by a row|s0-3+8 s3-99+32|4c89cce800100000c3|mov %r9,%rsp; call .+0x1005; ret
lost and not found again|s0-3+8 o3-99+8|4c89cce800100000c3|mov %r9,%rsp; call .+0x1005; ret
rounded to 16|s0-1+8 s1-4+16 f4-99+16|554889e54883e4f0e800100000c9c3|push %rbp; mov %rsp,%rbp; and $-16,%rsp; call .+0x1005; leave; ret
rounded to 32|s0-1+8 s1-4+16 f4-99+16|554889e54883e4e0e800100000c9c3|push %rbp; mov %rsp,%rbp; and $-32,%rsp; call .+0x1005; leave; ret
rounded to 64 with a misfit of 8|s0-1+8 s1-4+16 f4-99+16|554889e5534883e4c04883ec40e800100000c9c3|push %rbp; mov %rsp,%rbp; push %rbx; and $-64,%rsp; sub $0x40,%rsp; call .+0x1005; leave; ret
rounded twice|s0-1+8 s1-4+16 f4-99+16|554889e54883e4c0534883e4e0e800100000c9c3|push %rbp; mov %rsp,%rbp; and $-64,%rsp; push %rbx; and $-32,%rsp; call .+0x1005; leave; ret
rounded under exact rows|s0-4+8 s4-99+64|4883e4c0e800100000c3|and $-64,%rsp; call .+0x1005; ret
a loop that probes|o0-99+8|4c8d9c2400d0ffff4881ec0010000048830c24004c39dc75eee800100000c3|lea -0x3000(%rsp),%r11; sub $0x1000,%rsp; orq $0,(%rsp); cmp %r11,%rsp; jne .-0x10; call .+0x1005; ret
a loop that probes the other way|o0-99+8|4c8d9c2400d0ffff4881ec001000004939e375f4e800100000c3|lea -0x3000(%rsp),%r11; sub $0x1000,%rsp; cmp %rsp,%r11; jne .-0xa; call .+0x1005; ret
compared with what is above||534c8d5c24084c39dce800100000c3|push %rbx; lea 8(%rsp),%r11; cmp %r11,%rsp; call .+0x1005; ret
another stack||53488b275bc3|push %rbx; mov (%rdi),%rsp; pop %rbx; ret
another stack through a register||488b0f4889cce800100000c3|mov (%rdi),%rcx; mov %rcx,%rsp; call .+0x1005; ret
loaded and overwritten before||488b0f48c7c1010000004889cce800100000c3|mov (%rdi),%rcx; mov $1,%rcx; mov %rcx,%rsp; call .+0x1005; ret
a copy that comes back||4889e04883ec40e8001000004889c4e800100000c3|mov %rsp,%rax; sub $0x40,%rsp; call .+0x1005; mov %rax,%rsp; call .+0x1005; ret
a copy without a call between||4889e04883ec404889c4e800100000c3|mov %rsp,%rax; sub $0x40,%rsp; mov %rax,%rsp; call .+0x1005; ret
a frame pointer over a call||554889e54883ec40e8001000004889ece800100000c3|push %rbp; mov %rsp,%rbp; sub $0x40,%rsp; call .+0x1005; mov %rbp,%rsp; call .+0x1005; ret
a copy that moves||488d4424104883c0b04883e8084889c4e800100000c3|lea 0x10(%rsp),%rax; add $-0x50,%rax; sub $8,%rax; mov %rax,%rsp; call .+0x1005; ret
a copy that is overwritten||4889e04889d84889c4e800100000c3|mov %rsp,%rax; mov %rbx,%rax; mov %rax,%rsp; call .+0x1005; ret
a copy that is loaded over||4889e0488b034883c0084889c4e800100000c3|mov %rsp,%rax; mov (%rbx),%rax; add $8,%rax; mov %rax,%rsp; call .+0x1005; ret
a copy that is swapped for another||4889e04887c84883ec404889c4e800100000c3|mov %rsp,%rax; xchg %rcx,%rax; sub $0x40,%rsp; mov %rax,%rsp; call .+0x1005; ret
another that is swapped for a copy||4889e14887c84883ec404889cce800100000c3|mov %rsp,%rcx; xchg %rcx,%rax; sub $0x40,%rsp; mov %rcx,%rsp; call .+0x1005; ret
loaded and swapped||488b0f4887c14889cce800100000c3|mov (%rdi),%rcx; xchg %rax,%rcx; mov %rcx,%rsp; call .+0x1005; ret
what is added to an unknown register||4883c0084889c4e800100000c3|add $8,%rax; mov %rax,%rsp; call .+0x1005; ret
leave to an address||55488d6c24e0488d6510e800100000c3|push %rbp; lea -0x20(%rsp),%rbp; lea 0x10(%rbp),%rsp; call .+0x1005; ret
jump over what pushes||53eb025152e800100000c3|push %rbx; jmp .+0x4; push %rcx; push %rdx; call .+0x1005; ret
branch over what pushes||5374025152e800100000c3|push %rbx; je .+0x4; push %rcx; push %rdx; call .+0x1005; ret
behind a return without a way in||534883ec204883c4205bc3e800100000c3|push %rbx; sub $0x20,%rsp; add $0x20,%rsp; pop %rbx; ret; call .+0x1005; ret
behind a return with a way in||740a534883ec204883c420c3e800100000c3|je .+0xc; push %rbx; sub $0x20,%rsp; add $0x20,%rsp; ret; call .+0x1005; ret
two ways in||537407517404c3909090e800100000c3|push %rbx; je .+0x9; push %rcx; je .+0x6; ret; nop; nop; nop; call .+0x1005; ret
back and out||9074fdebfbebf8|nop; je .-0x1; jmp .-0x3; jmp .-0x6
branch out||530f84fc1f0000e9fd2f0000|push %rbx; je .+0x2002; jmp .+0x3002
to its own start and behind its end||9074fd75fa7003eb02c390|nop; je .-0x1; jne .-0x4; jo .+0x5; jmp .+0x4; ret; nop
a switch|s0-99+8|486304824801d0ffe0e800100000c3|movslq (%rdx,%rax,4),%rax; add %rdx,%rax; jmp *%rax; call .+0x1005; ret
a switch with six between|s0-99+8|48630482909090909090ffe0|movslq (%rdx,%rax,4),%rax; nop; nop; nop; nop; nop; nop; jmp *%rax
a switch with seven between|s0-99+8|4863048290909090909090ffe0|movslq (%rdx,%rax,4),%rax; nop; nop; nop; nop; nop; nop; nop; jmp *%rax
a context switch|s0-99+8|488b27ff6708|mov (%rdi),%rsp; jmp *8(%rdi)
a context switch through a register|s0-99+8|488b0f4889ccffe0|mov (%rdi),%rcx; mov %rcx,%rsp; jmp *%rax
a jump after the stack pointer was kept in the frame|s0-99+8|488b65f8ffe0|mov -8(%rbp),%rsp; jmp *%rax
a jump after the stack pointer was kept below itself|s0-99+8|488b642408ffe0|mov 8(%rsp),%rsp; jmp *%rax
a jump after a register was kept in the frame|s0-99+8|488b4df84889ccffe0|mov -8(%rbp),%rcx; mov %rcx,%rsp; jmp *%rax
a jump one instruction after a switch|s0-99+8|488b2790ff6708|mov (%rdi),%rsp; nop; jmp *8(%rdi)
a jump away from an address that was loaded|s0-99+8|4c8b17498d62f8ffe0|mov (%rdi),%r10; lea -8(%r10),%rsp; jmp *%rax
a jump out after a switch|s0-99+8|488b27e9fb1f0000|mov (%rdi),%rsp; jmp .+0x2000
a call after a switch|s0-99+8|488b27ff5708|mov (%rdi),%rsp; call *8(%rdi)
a call behind a table|s0-99+8|48630482ffd0c3|movslq (%rdx,%rax,4),%rax; call *%rax; ret
through slots||ff1520000000ff2540000000|call *0x20(%rip); jmp *0x40(%rip)
names what it chooses||488d0500010000488d1500020000480f44c2c3|lea 0x100(%rip),%rax; lea 0x200(%rip),%rdx; cmove %rdx,%rax; ret
no instruction in it||530651e800100000|push %rbx; .byte 0x06; push %rcx; call .+0x1005
nothing|||
more is freed than there was||4883c440e800100000c3|add $0x40,%rsp; call .+0x1005; ret
ends before its last instruction does|s0-99+8|53e80102|push %rbx; .byte 0xe8,1,2
)";

constexpr char arm_shapes[] = R"(a call of a leaf||00040094c0035fd6|bl .+0x1000; ret
a frame|s0-4+0 s4-12+32 s12-99+0|fd7bbea900040094fd7bc2a8c0035fd6|stp x29, x30, [sp, #-32]!; bl .+0x1000; ldp x29, x30, [sp], #32; ret
below sp and fp|s0-4+0 s4-8+32 f8-99+32|fd7bbea9fd030091e0031ff8ff0301d1a0831bf800040094bf030091fd7bc2a8c0035fd6|stp x29, x30, [sp, #-32]!; mov x29, sp; stur x0, [sp, #-16]; sub sp, sp, #64; stur x0, [x29, #-72]; bl .+0x1000; mov sp, x29; ldp x29, x30, [sp], #32; ret
another stack from a pair||092840a95f01009100040094c0035fd6|ldp x9, x10, [x0]; mov sp, x10; bl .+0x1000; ret
another stack from the first of a pair||092840a93f01009100040094c0035fd6|ldp x9, x10, [x0]; mov sp, x9; bl .+0x1000; ret
a copy in the second of a pair that is loaded over||ea030091ff8300d1092840a94a4100915f01009100040094c0035fd6|mov x10, sp; sub sp, sp, #32; ldp x9, x10, [x0]; add x10, x10, #16; mov sp, x10; bl .+0x1000; ret
a copy that a comparison leaves||ea030091ff8300d15f0101ab5f0101ea5f01009100040094c0035fd6|mov x10, sp; sub sp, sp, #32; cmn x10, x1; tst x10, x1; mov sp, x10; bl .+0x1000; ret
rounded to 32||e98300d13fe97b9200040094c0035fd6|sub x9, sp, #32; and sp, x9, #-32; bl .+0x1000; ret
a loop that probes|o0-99+0|e90f40d1ff0740d1ff0300f9ff6329eba1ffff5400040094c0035fd6|sub x9, sp, #3, lsl #12; sub sp, sp, #1, lsl #12; str xzr, [sp]; cmp sp, x9; b.ne .-0xc; bl .+0x1000; ret
a switch|s0-99+0|417863f820001fd6|ldr x1, [x2, x3, lsl #3]; br x1
a context switch|s0-99+0|4c4540a99f01009120021fd6|ldp x12, x17, [x10]; mov sp, x12; br x17
a jump after the stack pointer was kept in the frame|s0-99+0|ec4740a99f01009120021fd6|ldp x12, x17, [sp]; mov sp, x12; br x17
a jump after a register was kept in the frame|s0-99+0|ac035ff89f01009120021fd6|ldur x12, [x29, #-16]; mov sp, x12; br x17
a jump away from an address that was loaded|s0-99+0|4c0140f99f41009120021fd6|ldr x12, [x10]; add sp, x12, #16; br x17
signed returns||3f2303d5fd7bbfa900040094ff0b5fd600040094|paciasp; stp x29, x30, [sp, #-16]!; bl .+0x1000; .inst 0xd65f0bff; bl .+0x1000
calls that authenticate||22083fd722081fd7|.inst 0xd73f0822; .inst 0xd71f0822
four bytes cut||1f2003d5010203|nop; .byte 1,2,3
)";

std::string_view take_field(std::string_view& line) {
  const auto end = std::min(line.find('|'), line.size());
  const auto field = line.substr(0, end);
  line.remove_prefix(std::min(end + 1, line.size()));
  return field;
}

std::vector<frame_row> rows_of(std::string_view text, std::uint64_t code_bytes) {
  std::vector<frame_row> rows;
  for (std::size_t at = 0; at < text.size();
       at = std::min(text.find(' ', at), text.size() - 1) + 1) {
    unsigned low = 0;
    unsigned high = 0;
    int offset = 0;
    const std::string one(text.substr(at + 1, text.find(' ', at) - at - 1));
    if (std::sscanf(one.c_str(), "%u-%u+%d", &low, &high, &offset) != 3) ADD_FAILURE() << one;
    const auto base = text[at] == 's'   ? cfa_base::stack_pointer
                      : text[at] == 'f' ? cfa_base::frame_pointer
                                        : cfa_base::other;
    rows.push_back({.low = function_at + low,
                    .high = function_at + std::min<std::uint64_t>(high, code_bytes),
                    .base = base,
                    .offset = offset});
  }
  return rows;
}

std::string printed_shape(const function_shape& shape) {
  std::string text =
      fmt::format("  frame {} touched {}{}{}{}{}\n", shape.frame_bytes, shape.touched_bytes,
                  shape.dynamic ? " dynamic" : "", shape.realigned ? " realigned" : "",
                  shape.switches ? " switches" : "", shape.decoded ? "" : " undecoded");
  constexpr const char* kinds[] = {"nowhere", "to", "through", "unknown"};
  for (const auto& call : shape.calls)
    text += fmt::format("  {} at {:#x}+{} with {} {} {:#x}\n", call.tail ? "jump" : "call", call.pc,
                        call.bytes, call.stack_bytes, kinds[static_cast<int>(call.target_is)],
                        call.target);
  for (const auto address : shape.named_code) text += fmt::format("  names {:#x}\n", address);
  return text;
}

std::string printed_shapes(std::uint16_t machine, std::string_view list) {
  decoder engine(machine);
  std::string text;
  while (!list.empty()) {
    auto line = take_line(list);
    const auto name = take_field(line);
    const auto row_text = take_field(line);
    auto bytes = test::bytes_of_hex(take_field(line));
    const auto code_bytes = bytes.size();
    bytes.insert(bytes.end(), 16, 0x90);
    const test::made_elf made{
        .machine = machine,
        .sections = {{".text", SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR, function_at, bytes}}};
    const auto image = made.image();
    const auto file = elf_file::open(image, "made").value();
    const auto rows = rows_of(row_text, code_bytes);
    const function_extent extent{.low = function_at, .high = function_at + code_bytes};
    text +=
        fmt::format("{}: {}\n", name, line) + printed_shape(shape_of(engine, *file, extent, rows));
    std::string depths;
    for (auto at = extent.low; at <= extent.high; ++at) {
      const auto taken = stack_bytes_at(engine, *file, extent, rows, at);
      if (!taken) {
        depths += " -";
      } else {
        depths += taken->least == taken->most ? fmt::format(" {}", taken->most)
                                              : fmt::format(" {}..{}", taken->least, taken->most);
      }
    }
    text += "  bytes" + depths + '\n';
  }
  return text;
}

TEST(FunctionShape, EveryRuleHasItsWholeShape) {
  test::expect_whole("code/whole/x86_shapes.txt", printed_shapes(EM_X86_64, x86_shapes));
  test::expect_whole("code/whole/arm_shapes.txt", printed_shapes(EM_AARCH64, arm_shapes));
}

}  // namespace
}  // namespace bast_stacks

// SPDX-License-Identifier: Apache-2.0
//
// Functions of known shape for the static analysis: static_test.cpp has the expected results. They
// have C names, so that these do not depend on the compiler.
#include <alloca.h>

#include "known_library.hpp"

#define BAST_APART extern "C" __attribute__((noinline, used))

// NOLINTBEGIN(misc-use-internal-linkage): they are looked for by name, and called by no other file
BAST_APART int chain_end(int seed);
BAST_APART int chain_middle(int seed);
BAST_APART int chain_root(int seed);
BAST_APART int self_root(int depth);
BAST_APART int pong(int depth);
BAST_APART int ping(int depth);
BAST_APART int circle_root(int depth);
BAST_APART int dynamic_end(int bytes);
BAST_APART int dynamic_root(int bytes);
BAST_APART int pointed_to(int seed);
BAST_APART int indirect_root(int seed);
BAST_APART int library_root(int seed);
BAST_APART int tail_end(int seed);
BAST_APART int tail_root(int seed);
BAST_APART int switch_root(int seed);
BAST_APART int aligned_root(int seed);
BAST_APART int untabled_root(int seed);

// Used after each call, so that no call becomes a jump; not zeroed, to avoid a call of memset.
#define BAST_ROOM(bytes)     \
  volatile char room[bytes]; \
  room[seed & 63] = static_cast<char>(seed)

int chain_end(int seed) {
  BAST_ROOM(300);
  return room[1];
}
int chain_middle(int seed) {
  BAST_ROOM(2000);
  return chain_end(seed) + room[1];
}
int chain_root(int seed) {
  BAST_ROOM(100);
  return chain_middle(seed) + room[1];
}

int self_root(int seed) {
  BAST_ROOM(100);
  if (seed <= 0) return room[2];
  return self_root(seed - 1) + room[1];
}

int pong(int seed) {
  BAST_ROOM(400);
  return ping(seed - 1) + room[1];
}
int ping(int seed) {
  BAST_ROOM(200);
  if (seed <= 0) return room[2];
  return pong(seed) + room[1];
}
int circle_root(int seed) {
  BAST_ROOM(64);
  return ping(seed) + room[1];
}

int dynamic_end(int seed) {
  auto* const room = static_cast<volatile char*>(alloca(static_cast<unsigned>(seed)));
  room[0] = 1;
  return chain_end(seed) + room[0];
}
int dynamic_root(int seed) {
  BAST_ROOM(64);
  return dynamic_end(seed) + room[1];
}

int pointed_to(int seed) {
  BAST_ROOM(900);
  return room[1];
}
int (*volatile pointer)(int) = pointed_to;
int indirect_root(int seed) {
  BAST_ROOM(64);
  return pointer(seed) + room[1];
}

int library_root(int seed) {
  BAST_ROOM(64);
  return library_function(seed) + room[1];
}

int tail_end(int seed) {
  BAST_ROOM(500);
  return room[1];
}
int tail_root(int seed) { return tail_end(seed + 1); }

int switch_root(int seed) {
  BAST_ROOM(64);
  switch (seed) {
    case 0: return chain_end(1) + room[1];
    case 1: return chain_end(20) * room[2];
    case 2: return chain_end(3) - room[3];
    case 3: return chain_end(44) ^ room[4];
    case 4: return chain_end(5) | room[5];
    case 5: return chain_end(66) & room[6];
    case 6: return chain_end(7) + 2 * room[7];
    default: return room[8];
  }
}

#ifdef __x86_64__
// A function that only its section of stack sizes describes: no unwind table, no
// size. As clang writes it with -fstack-size-section.
asm(R"(
  .pushsection .text
  .type untabled, @function
untabled:
  subq $72, %rsp
  movl %edi, %eax
  addq $72, %rsp
  ret
  .popsection
  .pushsection .stack_sizes,"",@progbits
  .quad untabled
  .uleb128 72
  .popsection
)");
extern "C" int untabled(int seed);
int untabled_root(int seed) { return untabled(seed + 1) + 1; }
#else
int untabled_root(int seed) { return seed; }
#endif

int aligned_root(int seed) {
  alignas(64) volatile char room[256];
  room[seed & 63] = 1;
  return chain_end(seed) + room[1];
}
// NOLINTEND(misc-use-internal-linkage)

int main(int count, char**) {
  return chain_root(count) + self_root(count) + circle_root(count) + dynamic_root(count) +
         indirect_root(count) + library_root(count) + tail_root(count) + switch_root(count) +
         aligned_root(count) + untabled_root(count);
}

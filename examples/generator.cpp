// SPDX-License-Identifier: Apache-2.0
//
// A generator: a function that yields values one by one, each when it is asked for. Because it has
// a stack of its own, it can yield from inside a recursion, which a stackless coroutine cannot.
//
// coro<int> yields ints. start() runs it to its first yield, resume() to the next; each comes back
// with a step that either holds the value or says that the function returned.

#include <bast/coro.hpp>
#include <cstdio>
#include <memory>

namespace {

struct node {
  int value;
  std::unique_ptr<node> left;
  std::unique_ptr<node> right;
};

void insert(std::unique_ptr<node>& at, int value) {
  if (at == nullptr) {
    at = std::make_unique<node>(value);
  } else {
    insert(value < at->value ? at->left : at->right, value);
  }
}

void in_order(const node* at, bast::yielder<int>& out) {
  if (at == nullptr) return;
  in_order(at->left.get(), out);
  out.yield(at->value);
  in_order(at->right.get(), out);
}

}  // namespace

int main() {
  std::unique_ptr<node> root;
  for (const int value : {50, 30, 70, 20, 40, 60, 80}) insert(root, value);

  // value() ends the program where there is none; the other examples look at errors.
  auto pool = bast::coro_pool::create().value();
  auto walk = pool.acquire<int>().value();
  auto step = walk.start([&](bast::yielder<int>& out) { in_order(root.get(), out); });
  while (step->suspended()) {
    std::printf("%d\n", step->value());
    step = walk.resume();
  }
}

// SPDX-License-Identifier: Apache-2.0
//
// A generator: a function that yields values one by one, on demand. Because it has its own stack,
// it can yield from inside a recursion, which a stackless coroutine cannot.
//
// The coroutine's types are those of its function. Each resume() runs it to its next yield and
// returns a step: yielded with a value, or finished.

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

  // value() throws if there is no value; the other examples check errors.
  auto pool = bast::coro_pool::create().value();
  auto walk = pool.make([&](bast::yielder<int>& out) { in_order(root.get(), out); }).value();
  for (auto step = walk.resume(); step.yielded(); step = walk.resume()) {
    std::printf("%d\n", step.value());
  }
}

// SPDX-License-Identifier: Apache-2.0
#include "read/layered_memory.hpp"

namespace bast_stacks {

layered_memory::layered_memory(std::unique_ptr<memory> front, std::unique_ptr<memory> back,
                               layer resident)
    : front_(std::move(front)),
      back_(std::move(back)),
      resident_(resident == layer::front ? front_.get() : back_.get()) {}

void layered_memory::read_pieces(std::span<piece> pieces) {
  front_->read(pieces);
  if (back_ == nullptr) return;
  std::vector<piece> rest;
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    if (pieces[i].present) continue;
    rest.push_back(pieces[i]);
    places.push_back(i);
  }
  if (rest.empty()) return;
  back_->read(rest);
  for (std::size_t i = 0; i < rest.size(); ++i) pieces[places[i]].present = rest[i].present;
  if (const auto& why = back_->broken()) set_broken(*why);
}

bool layered_memory::residency(extent where, std::vector<resident_extent>& found) {
  return resident_ != nullptr && resident_->residency(where, found);
}

}  // namespace bast_stacks

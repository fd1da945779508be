// SPDX-License-Identifier: Apache-2.0
#include "model/program.hpp"

#include <charconv>
#include <cstdlib>

namespace bast::model {

namespace {

constexpr std::string_view magic = "bast-ops";

std::uint32_t little_endian(std::span<const std::uint8_t> bytes) {
  std::uint32_t value = 0;
  for (std::size_t i = bytes.size(); i-- > 0;) value = value << 8 | bytes[i];
  return value;
}

void put(std::vector<std::uint8_t>& out, std::uint32_t value, int size) {
  for (int i = 0; i < size; ++i) out.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
}

/// Removes the first word from `line`.
std::string_view next_word(std::string_view& line) {
  const auto begin = line.find_first_not_of(" \t\r");
  if (begin == line.npos) return line = {};
  line.remove_prefix(begin);
  const auto end = std::min(line.find_first_of(" \t\r"), line.size());
  const std::string_view word = line.substr(0, end);
  line.remove_prefix(end);
  return word;
}

bool number(std::string_view text, unsigned limit, unsigned& out) {
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), out);
  return failure == std::errc() && end == text.data() + text.size() && out <= limit;
}

/// A parser that remembers its first complaint.
class parser {
 public:
  explicit parser(const language& words) : words_(words) {}

  std::expected<program, std::string> run(std::string_view text) {
    while (!text.empty() && complaint_.empty()) {
      const auto end = std::min(text.find('\n'), text.size());
      ++line_;
      parse_line(text.substr(0, end));
      text.remove_prefix(std::min(end + 1, text.size()));
    }
    if (complaint_.empty() && !begun_) complain("the text is empty");
    if (!complaint_.empty()) return std::unexpected(complaint_);
    return program_;
  }

 private:
  void complain(std::string_view what) {
    complaint_ = "line " + std::to_string(line_) + ": " + std::string(what);
  }
  void parse_line(std::string_view line) {
    line = line.substr(0, line.find('#'));
    const std::string_view first = next_word(line);
    if (first.empty()) return;
    if (!begun_) return parse_head(first, line);
    if (first == "options") return parse_options(line);
    parse_op(first, line);
  }
  void parse_head(std::string_view first, std::string_view rest) {
    begun_ = true;
    unsigned version = 0;
    if (first != magic || !number(next_word(rest), format_version, version)) {
      return complain("expected \"bast-ops 1 " + std::string(words_.name) + "\"");
    }
    if (const auto name = next_word(rest); name != words_.name) {
      complain("a program for '" + std::string(name) + "', not for '" + words_.name + "'");
    }
  }
  void parse_options(std::string_view rest) {
    for (auto field = next_word(rest); !field.empty(); field = next_word(rest)) {
      const auto equals = std::min(field.find('='), field.size());
      unsigned shift = 0;
      const option_field* found = nullptr;
      for (const option_field& f : words_.options) {
        if (field.substr(0, equals) == f.name) {
          found = &f;
          break;
        }
        shift += f.bits;
      }
      unsigned value = 0;
      if (found == nullptr) return complain("unknown option '" + std::string(field) + "'");
      const std::string_view text = field.substr(std::min(equals + 1, field.size()));
      if (!number(text, (1U << found->bits) - 1, value)) {
        return complain("'" + std::string(field) + "' is out of range");
      }
      program_.options = static_cast<std::uint16_t>(program_.options | value << shift);
    }
  }
  void parse_op(std::string_view name, std::string_view rest) {
    for (std::size_t kind = 0; kind < words_.words.size(); ++kind) {
      const word& w = words_.words[kind];
      if (name != w.name) continue;
      unsigned who = 0;
      unsigned value = 0;
      if (w.has_who && !number(next_word(rest), subjects_max - 1, who)) {
        return complain("'" + std::string(name) + "' needs a subject from 0 to 15");
      }
      if (w.value_max != 0 && !number(next_word(rest), w.value_max, value)) {
        return complain("'" + std::string(name) + "' needs a value up to " +
                        std::to_string(w.value_max));
      }
      if (!next_word(rest).empty()) return complain("too many words");
      program_.ops.push_back({.kind = static_cast<std::uint8_t>(kind),
                              .who = static_cast<std::uint8_t>(who),
                              .value = static_cast<std::uint16_t>(value)});
      return;
    }
    complain("unknown operation '" + std::string(name) + "'");
  }

  const language& words_;
  program program_;
  std::string complaint_;
  int line_ = 0;
  bool begun_ = false;
};

}  // namespace

unsigned language::option(std::uint16_t options_of, std::string_view field) const {
  unsigned shift = 0;
  for (const option_field& f : options) {
    if (field == f.name) return (unsigned{options_of} >> shift) & ((1U << f.bits) - 1);
    shift += f.bits;
  }
  std::abort();  // A misspelt field in a harness.
}

op reduced(op raw, const language& words) {
  op out;
  out.kind = static_cast<std::uint8_t>(raw.kind % words.words.size());
  const word& w = words.words[out.kind];
  if (w.has_who) out.who = static_cast<std::uint8_t>(raw.who % subjects_max);
  out.value = static_cast<std::uint16_t>(raw.value % (std::uint32_t{w.value_max} + 1));
  return out;
}

std::expected<program, std::string> decode(std::span<const std::uint8_t> bytes,
                                           const language& words) {
  program p;
  if (bytes.empty()) return p;
  if (bytes[0] != format_version) return std::unexpected("the input is of another format version");
  if (bytes.size() < header_bytes) return p;
  p.allowed = little_endian(bytes.subspan(1, 4));
  p.options = static_cast<std::uint16_t>(little_endian(bytes.subspan(5, 2)));
  bytes = bytes.subspan(header_bytes);
  for (; bytes.size() >= op_bytes && p.ops.size() < ops_max; bytes = bytes.subspan(op_bytes)) {
    const op raw{.kind = bytes[0],
                 .who = bytes[1],
                 .value = static_cast<std::uint16_t>(little_endian(bytes.subspan(2, 2)))};
    const op next = reduced(raw, words);
    if (p.allowed == 0 || (p.allowed >> next.kind & 1) != 0) p.ops.push_back(next);
  }
  return p;
}

void leave_out(program& p, std::uint32_t kinds) {
  std::erase_if(p.ops, [=](const op& o) { return (kinds >> o.kind & 1) != 0; });
}

std::vector<std::uint8_t> encode(const program& p) {
  std::vector<std::uint8_t> out;
  out.reserve(header_bytes + p.ops.size() * op_bytes);
  out.push_back(format_version);
  put(out, p.allowed, 4);
  put(out, p.options, 2);
  for (const op& o : p.ops) {
    out.push_back(o.kind);
    out.push_back(o.who);
    put(out, o.value, 2);
  }
  return out;
}

std::string print(const program& p, const language& words) {
  std::string out = std::string(magic) + " " + std::to_string(format_version) + " " + words.name;
  out += "\noptions";
  for (const option_field& f : words.options) {
    out += " " + std::string(f.name) + "=" + std::to_string(words.option(p.options, f.name));
  }
  out += "\n";
  for (const op& o : p.ops) {
    const word& w = words.words[o.kind];
    out += w.name;
    if (w.has_who) out += " " + std::to_string(o.who);
    if (w.value_max != 0) out += " " + std::to_string(o.value);
    out += "\n";
  }
  return out;
}

std::expected<program, std::string> parse(std::string_view text, const language& words) {
  return parser(words).run(text);
}

}  // namespace bast::model

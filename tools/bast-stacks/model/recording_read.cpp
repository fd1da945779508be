// SPDX-License-Identifier: Apache-2.0
//
// Recordings are untrusted: every type and range is checked, nesting and the number of values are
// bounded, and the error names the first wrong place in the document.
#include <fmt/format.h>

#include <limits>
#include <nlohmann/json.hpp>

#include "model/names.hpp"
#include "model/recording.hpp"
#include "model/recording_fields.hpp"

namespace bast_stacks {
namespace {

using nlohmann::json;

// A recording of a million live stacks has about 12 million values; its deepest nesting is 6:
// snapshot, sites, site, deepest, frames, frame.
constexpr std::size_t values_max = 32 << 20;
constexpr std::size_t text_bytes_max = std::size_t{1} << 30;
constexpr int nesting_max = 16;

/// A place in the document: a member or an element of another place.
struct place {
  const place* in = nullptr;
  std::string_view member;
  std::size_t element = 0;

  std::string text() const {
    if (in == nullptr) return {};
    const std::string before = in->text();
    if (member.empty()) return fmt::format("{}[{}]", before, element);
    return before.empty() ? std::string(member) : fmt::format("{}.{}", before, member);
  }
};

/// Fills a record's members from an object. After the first error it skips everything.
class decoder {
 public:
  decoder(const json& object, const place& at, std::string& error)
      : object_(object), at_(at), error_(error) {
    if (!object.is_object()) fail(at, "expected an object");
  }

  void operator()(const char* name, auto& member) { read(name, member, true); }
  void rare(const char* name, auto& member) { read(name, member, false); }
  void flags(const char* name, std::uint64_t& built) {
    std::vector<std::string> names;
    read(name, names, true);
    for (std::size_t i = 0; i < names.size() && error_.empty(); ++i) {
      const place list{&at_, name};
      if (const auto bit = built_bit(names[i])) {
        built |= *bit;
      } else {
        fail({&list, {}, i}, "is not a build flag");
      }
    }
  }

 private:
  void fail(const place& where, std::string_view what) {
    if (!error_.empty()) return;
    const std::string path = where.text();
    error_ = path.empty() ? std::string(what) : fmt::format("{}: {}", path, what);
  }

  template <typename T>
  void read(const char* name, T& member, bool required) {
    if (!error_.empty()) return;
    const auto found = object_.find(name);
    if (found != object_.end()) {
      decode(*found, {&at_, name}, member);
    } else if (required) {
      fail({&at_, name}, "is missing");
    }
  }

  template <typename T>
  void decode(const json& from, const place& where, T& into) {
    if constexpr (std::same_as<T, bool>) {
      if (!from.is_boolean()) return fail(where, "expected true or false");
      into = from.get<bool>();
    } else if constexpr (std::unsigned_integral<T>) {
      constexpr std::uint64_t most = std::numeric_limits<T>::max();
      if (!from.is_number_unsigned() || from.get<std::uint64_t>() > most)
        return fail(where, fmt::format("expected a whole number from 0 to {}", most));
      into = static_cast<T>(from.get<std::uint64_t>());
    } else if constexpr (std::same_as<T, std::string>) {
      if (!from.is_string()) return fail(where, "expected a string");
      into = from.get<std::string>();
    } else {
      decoder record(from, where, error_);
      internal::fields(record, into);
    }
  }
  template <typename T>
  void decode(const json& from, const place& where, std::vector<T>& into) {
    if (!from.is_array()) return fail(where, "expected an array");
    into.reserve(from.size());
    for (std::size_t i = 0; i < from.size() && error_.empty(); ++i)
      decode(from[i], {&where, {}, i}, into.emplace_back());
  }
  void decode(const json& from, const place& where, bucket& into) {
    std::uint64_t low = 0;
    decoder record(from, where, error_);
    record("low", low);
    record("count", into.count);
    into.index = bast::watch::bucket_of(low);
    if (bast::watch::bucket_low(into.index) != low) fail({&where, "low"}, "begins no bucket");
  }
  void decode(const json& from, const place& where, bast::watch::site_kind& into) {
    choose(where, into, from.is_string() ? site_kind_of(from.get<std::string>()) : std::nullopt,
           "expected \"source\", \"label\" or \"other\"");
  }
  void decode(const json& from, const place& where, bast::watch::coro_state& into) {
    choose(where, into, from.is_string() ? coro_state_of(from.get<std::string>()) : std::nullopt,
           "expected a state of a coroutine");
  }
  template <typename Enum>
  void choose(const place& where, Enum& into, std::optional<Enum> value,
              std::string_view expected) {
    if (!value.has_value()) return fail(where, expected);
    into = *value;
  }

  const json& object_;
  const place& at_;
  std::string& error_;
};

/// Checks what the rest of the program relies on and no type ensures. Returns what is wrong, or
/// empty.
std::string inconsistency(const snapshot& of) {
  if (of.page_bytes < 512 || (of.page_bytes & (of.page_bytes - 1)) != 0)
    return "page_bytes: expected a power of two from 512";
  for (std::size_t i = 0; i < of.sites.size(); ++i) {
    const site& s = of.sites[i];
    for (std::size_t b = 1; b < s.histogram.size(); ++b) {
      if (s.histogram[b - 1].index >= s.histogram[b].index)
        return fmt::format("sites[{}].histogram[{}].low: expected ascending buckets", i, b);
    }
    if (s.deepest.inner > s.deepest.frames.size())
      return fmt::format("sites[{}].deepest.inner: there are only {} frames", i,
                         s.deepest.frames.size());
  }
  for (std::size_t i = 0; i < of.stacks.size(); ++i) {
    const live_stack& s = of.stacks[i];
    if (s.site >= of.sites.size())
      return fmt::format("stacks[{}].site: there are only {} sites", i, of.sites.size());
    if (s.depth > s.depth_at_most && s.scanned)
      return fmt::format("stacks[{}].depth: is more than depth_at_most", i);
  }
  return {};
}

/// Checks the format and the version of a document. Returns what is wrong, or empty.
std::string wrong_format(const json& document) {
  const auto format = document.is_object() ? document.find("format") : document.end();
  if (!document.is_object() || format == document.end() || *format != recording_format)
    return fmt::format("is not a recording: no \"format\": \"{}\"", recording_format);
  const auto version = document.find("version");
  if (version == document.end() || !version->is_number_unsigned())
    return "version: expected a whole number";
  if (version->get<std::uint64_t>() != recording_version)
    return fmt::format("version: is {}, this program reads version {}",
                       version->get<std::uint64_t>(), recording_version);
  return {};
}

/// Parses a document without storing it, and stops when it is too large or too deep. Ignores syntax
/// errors.
class size_check : public nlohmann::json_sax<json> {
 public:
  /// The limit that is exceeded, or empty.
  static std::string_view of(std::string_view text) {
    size_check check;
    json::sax_parse(text.begin(), text.end(), &check);
    return check.too_much_;
  }

  bool null() override { return one_more(); }
  bool boolean(bool) override { return one_more(); }
  bool number_integer(number_integer_t) override { return one_more(); }
  bool number_unsigned(number_unsigned_t) override { return one_more(); }
  bool number_float(number_float_t, const string_t&) override { return one_more(); }
  bool string(string_t&) override { return one_more(); }
  bool binary(binary_t&) override { return one_more(); }
  bool key(string_t&) override { return true; }
  bool start_object(std::size_t) override { return deeper(); }
  bool start_array(std::size_t) override { return deeper(); }
  bool end_object() override { return higher(); }
  bool end_array() override { return higher(); }
  bool parse_error(std::size_t, const std::string&, const json::exception&) override {
    return false;
  }

 private:
  bool one_more() {
    if (++values_ > values_max) too_much_ = "has too many values";
    return too_much_.empty();
  }
  bool deeper() {
    if (++depth_ > nesting_max) too_much_ = "is nested too deeply";
    return too_much_.empty() && one_more();
  }
  bool higher() {
    --depth_;
    return true;
  }

  std::size_t values_ = 0;
  int depth_ = 0;
  std::string_view too_much_;
};

}  // namespace

std::expected<snapshot, problem> from_json(std::string_view text, std::string_view name) {
  const auto refuse = [&](std::string_view what, std::string remedy = {}) {
    return std::unexpected(problem{3, fmt::format("{}: {}", name, what), std::move(remedy)});
  };
  if (text.size() > text_bytes_max) return refuse("is larger than 1 GiB");
  try {
    if (const std::string_view excess = size_check::of(text); !excess.empty())
      return refuse(excess);
    // Not json's own callback: it scans all elements of an array after each of them.
    const json document = json::parse(text.begin(), text.end());
    if (const std::string error = wrong_format(document); !error.empty()) return refuse(error);
    snapshot result;
    std::string error;
    const place root;
    decoder record(document, root, error);
    internal::fields(record, result);
    if (error.empty()) error = inconsistency(result);
    if (!error.empty()) return refuse(error);
    result.from = source_kind::recording;
    result.what = name;
    return result;
  } catch (const json::exception& failure) {
    // "[json.exception.parse_error.101] parse error at line 1, column 5: ...": without its number.
    std::string_view what = failure.what();
    if (const auto end = what.find("] "); end != what.npos) what.remove_prefix(end + 2);
    return refuse(what);
  }
}

}  // namespace bast_stacks

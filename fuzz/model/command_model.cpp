// SPDX-License-Identifier: Apache-2.0
#include "model/command_model.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

namespace bast::model {

namespace {

// One string of execve, with its NUL (MAX_ARG_STRLEN).
constexpr std::size_t model_string_bytes_max = 131072;

/// 0 if execve would accept the file, or the errno.
int refusal_of_program(const std::string& path) {
  struct stat found{};
  if (::stat(path.c_str(), &found) != 0) return errno;
  if (!S_ISREG(found.st_mode)) return EACCES;
  return ::faccessat(AT_FDCWD, path.c_str(), X_OK, AT_EACCESS) == 0 ? 0 : errno;
}

int refusal_of_directory(const std::string& path) {
  struct stat found{};
  if (::stat(path.c_str(), &found) != 0) return errno;
  if (!S_ISDIR(found.st_mode)) return ENOTDIR;
  return ::faccessat(AT_FDCWD, path.c_str(), X_OK, AT_EACCESS) == 0 ? 0 : errno;
}

std::string name_of_entry(const std::string& entry) { return entry.substr(0, entry.find('=')); }

}  // namespace

// --- requests -----------------------------------------------------------------------------------

bool command_model::accept(const std::string& string, std::size_t more) {
  if (started_ || problem_) return false;
  if (string.contains('\0') || string.size() + more + 1 > model_string_bytes_max)
    refuse(errc::invalid);
  size_ += string.size() + 1;
  return !problem_;
}

bool command_model::accept_name(const std::string& name) {
  if (!accept(name)) return false;
  if (name.empty() || name.contains('=')) refuse(errc::invalid);
  return !problem_;
}

void command_model::arg(const std::string& argument) {
  if (!accept(argument)) return;
  if (arguments_.empty() && argument.empty()) return refuse(errc::invalid);
  arguments_.push_back(argument);
}

void command_model::env(const std::string& name, const std::string& value) {
  if (accept_name(name) && accept(value, name.size() + 1)) edit(name, value);
}

void command_model::unset_env(const std::string& name) {
  if (accept_name(name)) edit(name, std::nullopt);
}

void command_model::edit(const std::string& name, std::optional<std::string> value) {
  std::erase_if(edits_, [&](const auto& e) { return e.first == name; });
  edits_.emplace_back(name, std::move(value));
}

void command_model::clear_env() {
  if (started_) return;
  edits_.clear();
  inherits_ = false;
}

void command_model::cwd(const std::string& directory) {
  if (accept(directory)) directory_ = directory;
}

void command_model::stdin_bytes(const std::string& contents) {
  if (started_) return;
  size_ += contents.size();
  input_ = contents;
}

// --- results ------------------------------------------------------------------------------------

std::optional<errc> command_model::problem() const {
  if (started_) return errc::bad_state;  // P-3
  if (problem_) return problem_;
  if (arguments_.empty()) return errc::invalid;
  return {};
}

strings command_model::environment(const strings& ours) const {
  strings all;
  bool names_directory = inherits_ && directory_;
  for (const auto& [name, value] : edits_) names_directory &= name != "PWD";
  for (const std::string& entry : ours) {
    bool edited = !inherits_ || (names_directory && name_of_entry(entry) == "PWD");
    for (const auto& [name, value] : edits_) edited |= name == name_of_entry(entry);
    if (!edited) all.push_back(entry);
  }
  if (names_directory) {
    const bool absolute = directory_->starts_with('/');
    const std::string here = std::filesystem::current_path().string() + "/";
    all.push_back("PWD=" + (absolute ? "" : here) + *directory_);
  }
  for (const auto& [name, value] : edits_) {
    if (value) all.push_back(name + "=" + *value);
  }
  return all;
}

std::expected<std::string, int> command_model::program(const strings& ours) const {
  const std::string& name = arguments_.front();
  if (name.contains('/')) return name;
  std::string rest = "/bin:/usr/bin";
  for (const std::string& entry : environment(ours)) {
    if (!entry.starts_with("PATH=")) continue;
    rest = entry.substr(5);
    break;
  }
  int verdict = ENOENT;
  for (rest += ':'; !rest.empty(); rest.erase(0, rest.find(':') + 1)) {
    const std::string directory = rest.substr(0, rest.find(':'));
    std::string path = (directory.empty() ? "." : directory) + "/" + name;
    const int refusal = refusal_of_program(path);
    if (refusal == 0) return path;
    if (refusal == EACCES) verdict = EACCES;
  }
  return std::unexpected(verdict);
}

spawn_failure command_model::failure(const strings& ours) const {
  const auto found = program(ours);
  if (!found) return {.stage = spawn_stage::exec, .error_number = found.error()};
  if (directory_) {
    const int refusal = refusal_of_directory(*directory_);
    if (refusal != 0) return {.stage = spawn_stage::chdir, .error_number = refusal};
  }
  const int refusal = refusal_of_program(*found);
  if (refusal != 0) return {.stage = spawn_stage::exec, .error_number = refusal};
  return {};
}

}  // namespace bast::model

/// A folder that is gone when the test is.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace kaido::test {

/// A fresh folder with a path short enough for the Unix sockets in it, which the folders of Bazel are not.
///
/// Lifetime: the destructor removes it and everything in it.
class TempFolder {
 public:
  TempFolder();
  ~TempFolder();
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  [[nodiscard]] std::string operator/(std::string_view name) const { return (path_ / name).string(); }

  /// Writes a file and gives its path.
  std::string write(std::string_view name, std::string_view text) const;

 private:
  std::filesystem::path path_;
};

/// What is in a file; empty if there is none.
[[nodiscard]] std::string read_file(const std::string& path);

}  // namespace kaido::test

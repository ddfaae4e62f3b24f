#include "daemon/telemetry/log_shape.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>

#include "proto/base/utf8.h"

namespace kaido::daemon {
namespace {

constexpr std::string_view kCut = "…";

template <class Number>
void append_number(std::string& out, Number number) {
  std::array<char, 32> digits;
  const auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(), number);
  if (error == std::errc()) out.append(digits.data(), end);
}

void append_hex(std::string& out, const char* format, unsigned value) {
  std::array<char, 16> text;
  const int size = std::snprintf(text.data(), text.size(), format, value);
  out.append(text.data(), static_cast<std::size_t>(size));
}

/// Calls `piece_to_out` for each piece of `value` up to the bound, then marks a cut.
template <class AppendPiece>
void append_bounded(std::string& out, std::string_view value, AppendPiece append_piece) {
  std::size_t at = 0;
  while (at < value.size()) {
    const base::Utf8Piece piece = base::first_utf8_piece(value.substr(at));
    if (at + piece.size > kMaxLogValueBytes) {
      out += kCut;
      return;
    }
    append_piece(piece, value.substr(at, piece.size));
    at += piece.size;
  }
}

void append_json_text(std::string& out, std::string_view value) {
  out += '"';
  append_bounded(out, value, [&out](const base::Utf8Piece& piece, std::string_view bytes) {
    if (!piece.valid) {
      out += "\\ufffd";
    } else if (bytes == "\"" || bytes == "\\") {
      out += '\\';
      out += bytes;
    } else if (piece.is_control()) {
      append_hex(out, "\\u%04x", static_cast<unsigned>(piece.code_point));
    } else {
      out += bytes;
    }
  });
  out += '"';
}

void append_escaped(std::string& out, std::string_view value) {
  append_bounded(out, value, [&out](const base::Utf8Piece& piece, std::string_view bytes) {
    if (!piece.valid) {
      append_hex(out, "\\x%02x", static_cast<unsigned char>(bytes.front()));
    } else if (bytes == "\n") {
      out += "\\n";
    } else if (bytes == "\"" || bytes == "\\") {
      out += '\\';
      out += bytes;
    } else if (piece.is_control()) {
      append_hex(out, "\\u{%x}", static_cast<unsigned>(piece.code_point));
    } else {
      out += bytes;
    }
  });
}

bool is_bare(std::string_view value) {
  for (const char c : value) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       std::string_view("_-.:/+@%,#*").find(c) != std::string_view::npos;
    if (!plain) return false;
  }
  return !value.empty() && value.size() <= kMaxLogValueBytes;
}

void append_text_value(std::string& out, std::string_view value) {
  if (is_bare(value)) {
    out += value;
    return;
  }
  out += '"';
  append_escaped(out, value);
  out += '"';
}

double seconds(const LogField& field) { return std::chrono::duration<double>(field.as_duration()).count(); }

/// True if the field was a number or a boolean, which look the same in every shape.
bool append_simple(std::string& out, const LogField& field) {
  switch (field.kind()) {
    case LogField::Kind::kSigned:
      append_number(out, field.as_signed());
      return true;
    case LogField::Kind::kUnsigned:
      append_number(out, field.as_unsigned());
      return true;
    case LogField::Kind::kBool:
      out += field.as_bool() ? "true" : "false";
      return true;
    case LogField::Kind::kDouble:
      if (!std::isfinite(field.as_double())) return false;
      append_number(out, field.as_double());
      return true;
    default:
      return false;
  }
}

std::string_view name_of_non_finite(double value) { return std::isnan(value) ? "nan" : value > 0 ? "inf" : "-inf"; }

void append_text_field(std::string& out, const LogField& field) {
  out += ' ';
  append_escaped(out, field.key());
  out += '=';
  if (append_simple(out, field)) return;
  if (field.kind() == LogField::Kind::kDuration) {
    append_number(out, seconds(field));
    out += 's';
  } else if (field.kind() == LogField::Kind::kDouble) {
    out += name_of_non_finite(field.as_double());
  } else {
    append_text_value(out, field.kind() == LogField::Kind::kText ? std::string(field.as_text()) : field.print());
  }
}

void append_json_field(std::string& out, const LogField& field) {
  out += ',';
  append_json_text(out, field.key());
  out += ':';
  if (append_simple(out, field)) return;
  if (field.kind() == LogField::Kind::kDuration) {
    append_number(out, seconds(field));
  } else if (field.kind() == LogField::Kind::kDouble) {
    append_json_text(out, name_of_non_finite(field.as_double()));  // JSON has no such number
  } else {
    append_json_text(out, field.kind() == LogField::Kind::kText ? std::string(field.as_text()) : field.print());
  }
}

}  // namespace

std::string_view to_string(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "debug";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kWarn:
      return "warn";
    case LogLevel::kError:
      return "error";
    case LogLevel::kOff:
      return "off";
  }
  return "unknown";
}

std::string shape_text(const LogLine& line) {
  std::string out;
  append_escaped(out, line.component);
  out += ": ";
  append_escaped(out, line.message);
  for (const LogField* field : line.fields) {
    if (field->kind() != LogField::Kind::kNone) append_text_field(out, *field);
  }
  return out;
}

std::string shape_json_tail(const LogLine& line) {
  std::string out = "\"level\":";
  append_json_text(out, to_string(line.level));
  out += ",\"component\":";
  append_json_text(out, line.component);
  out += ",\"message\":";
  append_json_text(out, line.message);
  for (const LogField* field : line.fields) {
    if (field->kind() != LogField::Kind::kNone) append_json_field(out, *field);
  }
  out += '}';
  return out;
}

std::string shape_journal(const LogLine& line) {
  constexpr std::array<std::string_view, 5> kPriorities = {"<7>", "<6>", "<4>", "<3>", "<7>"};
  return std::string(kPriorities[static_cast<std::size_t>(line.level)]) + shape_text(line);
}

}  // namespace kaido::daemon

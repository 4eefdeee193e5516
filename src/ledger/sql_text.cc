#include "ledger/sql_text.h"

#include <algorithm>
#include <array>
#include <vector>

namespace weir::ledger {
namespace {

std::string quote(std::string_view text, char mark) {
  std::string quoted(1, mark);
  for (const char c : text) {
    if (c == mark) quoted += mark;
    quoted += c;
  }
  quoted += mark;
  return quoted;
}

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) {
    return lower(x) == lower(y);
  });
}

bool contains_ignoring_case(std::string_view text, std::string_view part) {
  const auto found =
      std::search(text.begin(), text.end(), part.begin(), part.end(), [](char x, char y) {
        return lower(x) == lower(y);
      });
  return found != text.end() || part.empty();
}

bool is_word(char c) {
  return (lower(c) >= 'a' && lower(c) <= 'z') || (c >= '0' && c <= '9') || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}

struct Token {
  enum class Kind : std::uint8_t { word, quoted, symbol };
  Kind kind;
  std::string text;
};

// Takes a quoted part off the front, with doubled marks made single again.
std::string take_quoted(std::string_view& sql) {
  const char mark = sql.front();
  sql.remove_prefix(1);
  std::string text;
  while (!sql.empty()) {
    const char c = sql.front();
    sql.remove_prefix(1);
    if (c != mark) {
      text += c;
    } else if (!sql.empty() && sql.front() == mark) {
      text += mark;
      sql.remove_prefix(1);
    } else {
      break;
    }
  }
  return text;
}

void skip_past(std::string_view& sql, std::string_view end) {
  const std::size_t at = sql.find(end);
  sql.remove_prefix(at == std::string_view::npos ? sql.size() : at + end.size());
}

// Words, quoted parts (texts and identifiers alike) and single symbols; comments are left out.
std::vector<Token> split(std::string_view sql) {
  std::vector<Token> tokens;
  while (!sql.empty()) {
    const char c = sql.front();
    if (sql.starts_with("--")) {
      skip_past(sql, "\n");
    } else if (sql.starts_with("/*")) {
      skip_past(sql, "*/");
    } else if (c == '"' || c == '\'') {
      tokens.push_back({Token::Kind::quoted, take_quoted(sql)});
    } else if (is_word(c)) {
      const auto end = std::find_if_not(sql.begin(), sql.end(), is_word);
      const auto size = static_cast<std::size_t>(end - sql.begin());
      tokens.push_back({Token::Kind::word, std::string(sql.substr(0, size))});
      sql.remove_prefix(size);
    } else {
      if (c != ' ' && c != '\n' && c != '\t' && c != '\r') {
        tokens.push_back({Token::Kind::symbol, std::string(1, c)});
      }
      sql.remove_prefix(1);
    }
  }
  return tokens;
}

// The star of count(*) shows no column. A product counts as a star, which costs time and never
// gives a wrong answer.
bool is_count_star(const std::vector<Token>& tokens, std::size_t star) {
  return star >= 2 && star + 1 < tokens.size() && tokens[star - 1].text == "(" &&
         tokens[star + 1].text == ")" && equal_ignoring_case(tokens[star - 2].text, "count");
}

}  // namespace

std::string quote_identifier(std::string_view name) {
  return quote(name, '"');
}

std::string quote_text(std::string_view text) {
  return quote(text, '\'');
}

std::string quote_list(std::span<const std::string> texts) {
  std::string list = "[";
  for (const std::string& text : texts) {
    if (list.size() > 1) list += ", ";
    list += quote_text(text);
  }
  return list + "]";
}

std::string read_parquet(std::span<const std::string> paths) {
  return "read_parquet(" + quote_list(paths) + ", union_by_name = true, hive_partitioning = false)";
}

bool can_see_column(std::string_view query, std::string_view name) {
  // Statements and functions that show or choose columns without naming them; FROM without SELECT
  // is a star too. A `$` may begin a quoted part of a kind that is not looked into.
  constexpr std::array<std::string_view, 12> shows_all = {
      "columns",
      "describe",
      "summarize",
      "show",
      "pivot",
      "unpivot",
      "exclude",
      "replace",
      "natural",
      "desc",
      "table",
      "$"};
  if (contains_ignoring_case(query, name)) return true;
  const std::vector<Token> tokens = split(query);
  bool has_select = false;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    const Token& token = tokens[i];
    // A quoted part may be misread where escapes are allowed in it, so a star in it counts.
    if (token.text.find('*') != std::string::npos && !is_count_star(tokens, i)) return true;
    if (token.kind == Token::Kind::quoted) continue;
    if (equal_ignoring_case(token.text, "select")) has_select = true;
    if (equal_ignoring_case(token.text, "from") && !has_select) return true;
    for (const std::string_view word : shows_all) {
      if (equal_ignoring_case(token.text, word)) return true;
    }
  }
  return false;
}

bool mentions(std::string_view query, std::string_view name) {
  if (!std::all_of(name.begin(), name.end(), is_word)) {
    return contains_ignoring_case(query, name) ||
           contains_ignoring_case(query, quote_identifier(name));
  }
  const auto tokens = split(query);
  return std::any_of(tokens.begin(), tokens.end(), [&](const Token& token) {
    return token.kind == Token::Kind::quoted ? contains_ignoring_case(token.text, name)
                                             : equal_ignoring_case(token.text, name);
  });
}

}  // namespace weir::ledger

#pragma once

#include <span>
#include <string>
#include <string_view>

// Pieces of SQL: quoting, and looking into a query without understanding all of it.

namespace weir::ledger {

// "fraud", with quotes inside doubled.
std::string quote_identifier(std::string_view name);
// 'fraud', likewise.
std::string quote_text(std::string_view text);
// ['a', 'b']
std::string quote_list(std::span<const std::string> texts);

// read_parquet([…]) with the columns of all files together.
std::string read_parquet(std::span<const std::string> paths);

// Whether a query could look at a column named `name`: it says so, or it has a star that is not
// count(*), or a statement that shows columns. Errs towards yes.
bool can_see_column(std::string_view query, std::string_view name);

// Whether the query contains this name, as an identifier or as text. Errs towards yes.
bool mentions(std::string_view query, std::string_view name);

}  // namespace weir::ledger

#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <duckdb.h>

// The JSON text of single values; json_text.h says in which form.

namespace weir::table {

void append_json_number(std::string& out, std::int64_t value);
void append_json_number(std::string& out, std::uint64_t value);
void append_json_number(std::string& out, float value);
void append_json_number(std::string& out, double value);
void append_json_number(std::string& out, duckdb_hugeint value);
void append_json_number(std::string& out, duckdb_uhugeint value);

// `unscaled` divided by 10^scale, digit by digit.
void append_json_decimal(std::string& out, duckdb_hugeint unscaled, unsigned scale);

void append_json_date(std::string& out, std::int32_t days);
// `per_second` is the unit: 1, 1'000, 1'000'000 or 1'000'000'000.
void append_json_timestamp(std::string& out, std::int64_t ticks, std::int64_t per_second);
void append_json_time(std::string& out, std::int64_t ticks, std::int64_t per_second);
// Microseconds and the zone as DuckDB packs them.
void append_json_time_tz(std::string& out, std::uint64_t bits);
void append_json_interval(std::string& out, const duckdb_interval& interval);

void append_json_uuid(std::string& out, duckdb_hugeint value);
void append_json_base64(std::string& out, std::string_view bytes);
// The first byte says how many bits of the second one are padding.
void append_json_bits(std::string& out, std::string_view bytes);

}  // namespace weir::table

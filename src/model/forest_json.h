#pragma once

#include <charconv>
#include <concepts>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <simdjson.h>

#include "base/result.h"

// A JSON value with the same functions as UbjValue (forest_ubj.h), so that one reader serves both
// of XGBoost's formats. Heavy: included by forest_xgboost.cc only.

namespace weir::model {

class JsonValue {
 public:
  explicit JsonValue(simdjson::ondemand::value value) : value_(value) {}

  template <class Field>
  Result<void> object(Field&& field) {
    simdjson::ondemand::object fields;
    TRY(check(value_.get_object().get(fields), "an object"));
    for (auto entry : fields) {
      std::string_view key;
      simdjson::ondemand::value value;
      TRY(check(entry.unescaped_key().get(key), "a key"));
      TRY(check(entry.value().get(value), "a value"));
      JsonValue child(value);
      TRY(field(key, child));
    }
    return {};
  }

  template <class Element>
  Result<void> array(Element&& element) {
    simdjson::ondemand::array elements;
    TRY(check(value_.get_array().get(elements), "an array"));
    for (auto entry : elements) {
      simdjson::ondemand::value value;
      TRY(check(entry.get(value), "a value"));
      JsonValue child(value);
      TRY(element(child));
    }
    return {};
  }

  template <class T>
  Result<void> numbers(std::vector<T>& numbers) {
    numbers.clear();
    simdjson::ondemand::array elements;
    TRY(check(value_.get_array().get(elements), "an array of numbers"));
    for (auto entry : elements) {
      simdjson::ondemand::value value;
      TRY(check(entry.get(value), "a number"));
      numbers.push_back(TRY(number<T>(value)));
    }
    return {};
  }

  Result<std::string> text() {
    std::string_view text;
    if (value_.get_string().get(text) == simdjson::SUCCESS) return std::string(text);
    simdjson::ondemand::json_type type{};
    TRY(check(value_.type().get(type), "a text"));
    if (type == simdjson::ondemand::json_type::array ||
        type == simdjson::ondemand::json_type::object) {
      return fail(Code::invalid_argument, "its JSON has something else where a text is expected");
    }
    return std::string(token(value_));
  }

  Result<void> skip() { return {}; }  // The parser does it.

 private:
  static Result<void> check(simdjson::error_code error, std::string_view what) {
    if (error == simdjson::SUCCESS) return {};
    return fail(
        Code::invalid_argument,
        "its JSON is damaged or cut off: {} is expected where there is none ({})",
        what,
        simdjson::error_message(error)
    );
  }

  // A scalar as it is written.
  static std::string_view token(simdjson::ondemand::value value) {
    std::string_view token = value.raw_json_token();
    return token.substr(0, token.find_last_not_of(" \t\r\n") + 1);
  }

  template <class T>
  static Result<T> number(simdjson::ondemand::value value) {
    if constexpr (std::floating_point<T>) {
      double number = 0;
      if (value.get_double().get(number) == simdjson::SUCCESS) return static_cast<T>(number);
      // XGBoost writes these three, which JSON does not have.
      const std::string_view word = token(value);
      if (word == "NaN") return std::numeric_limits<T>::quiet_NaN();
      if (word == "Infinity") return std::numeric_limits<T>::infinity();
      if (word == "-Infinity") return -std::numeric_limits<T>::infinity();
    } else {
      std::int64_t number = 0;
      if (value.get_int64().get(number) == simdjson::SUCCESS && std::in_range<T>(number)) {
        return static_cast<T>(number);
      }
      bool truth = false;  // XGBoost 1.0 writes default_left so.
      if (value.get_bool().get(truth) == simdjson::SUCCESS) return static_cast<T>(truth);
    }
    return fail(
        Code::invalid_argument, "'{}' is not a number that fits here", token(value).substr(0, 40)
    );
  }

  simdjson::ondemand::value value_;
};

}  // namespace weir::model

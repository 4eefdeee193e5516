#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "serve/version.h"
#include "tensor/columns.h"

// Requests and answers as CloudEvents 1.0 (docs/cloudevents.md), made from the columns of their
// records: what the ledger does not keep of a person is in no event either.

namespace weir::events {

// What is needed of a version to read its records again. Immutable.
class RecordReader {
 public:
  explicit RecordReader(const serve::Version& version);

  // The row behind the last one of the request that begins at `begin`.
  static std::size_t end_of_request(const tensor::Columns& records, std::size_t begin);
  // Whether clients saw this answer.
  static bool is_answer(const tensor::Columns& records, std::size_t row);

  // V2 JSON of the rows [begin, end) of one request.
  std::string request_body(const tensor::Columns& records, std::size_t begin, std::size_t end)
      const;
  // The answer, or the error that it was.
  std::string response_body(const tensor::Columns& records, std::size_t begin, std::size_t end)
      const;

  // The attributes that both events of a request share, as headers; times, type and source are the
  // sender's.
  using Headers = std::vector<std::pair<std::string, std::string>>;
  Headers headers(const tensor::Columns& records, std::size_t row) const;
  // When it arrived, and when it was answered.
  static std::pair<Moment, Moment> times(const tensor::Columns& records, std::size_t row);

 private:
  using Source = serve::RecordLayout::Source;

  std::string endpoint_;
  std::string version_;
  model::Signature signature_;
  std::vector<std::string> metadata_;
  std::vector<Source> sources_;
  std::size_t first_source_ = 0;  // Its column.

  friend class TensorWriter;
};

// As the value of a header: what is not printable ASCII, and space, '"' and '%', as %XX.
std::string header_value(std::string_view text);

}  // namespace weir::events

#include "http/background.h"

#include <utility>

#include "http/respond.h"

namespace weir::http {

void Background::run(Exchange& exchange, Work work) {
  const bool is_queued = queue_.post([&exchange, work = std::move(work)] {
    Answer answer = work();
    exchange.loop().post([&exchange, answer = std::move(answer)] { answer(exchange); });
  });
  if (is_queued) return;
  respond_error(
      exchange, {Code::exhausted, "too many slow control requests are waiting; try again later"}
  );
}

}  // namespace weir::http

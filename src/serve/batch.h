#pragma once

#include <semaphore>
#include <span>

#include "model/session.h"

namespace weir::serve {

// Whether two inferences of one version may be rows of one run: the same shapes but for axis 0,
// which counts the rows of every input.
bool may_share(const model::Inference& left, const model::Inference& right);

// Several inferences as one: their rows one after the other, in memory that is used again. Belongs
// to one thread.
class Batch final : public model::Inference {
 public:
  // Copies the rows of the members. Requires: at least one member; any two of them may share.
  void gather(std::span<Inference* const> members);
  // Gives each member its rows of the outputs, its status and the time of the run; the first one
  // counts the execution. False, with the members unchanged, when an output has not one row for
  // each row of the inputs.
  bool scatter(std::span<Inference* const> members);

  void complete() override { completed_.release(); }
  // Requires: the session answered Progress::pending.
  void wait() { completed_.acquire(); }

 private:
  std::binary_semaphore completed_{0};
};

}  // namespace weir::serve

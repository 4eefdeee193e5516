#pragma once

#include "protocol/v2.h"
#include "serve/admission.h"
#include "serve/call.h"
#include "serve/recorder.h"
#include "serve/routes.h"
#include "serve/shadows.h"

namespace weir::serve {

// THE request path, shared by every transport. docs/request-path.md numbers its steps.
// Thread-safe; each call belongs to one thread at a time.
class Predictor {
 public:
  Predictor(Admission& admission, const Routes& routes, Recorder& recorder, Shadows& shadows)
      : admission_(admission), routes_(routes), recorder_(recorder), shadows_(shadows) {}

  // Takes a call whose head is filled as far as it goes without waiting. It has been answered when
  // this returns, or its complete() will be called and resume() takes it on.
  void start(Call& call);
  void resume(Call& call);
  // Its client has gone: if it still waits for a thread, it does so no longer and is answered
  // before this returns. Otherwise it goes on as ever. On the thread that owns the call.
  void abandon(Call& call);

 private:
  // Step 1: whether there is room for it, before it is decoded.
  Result<void> admit(Call& call);
  // The first half: steps 2 to 5. An error ends the call.
  Result<model::Progress> begin(Call& call);
  // The second half: steps 6 to 9.
  void finish(Call& call);

  Result<void> plan(Call& call) const;
  void name_the_call(Call& call) const;
  void decide(Call& call) const;
  std::optional<Recorder::Ticket> record(Call& call);
  void count(Call& call) const;
  void end(Call& call);

  Admission& admission_;
  const Routes& routes_;
  Recorder& recorder_;
  Shadows& shadows_;
};

}  // namespace weir::serve

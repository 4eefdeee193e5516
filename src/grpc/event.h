#pragma once

// What a completion queue hands out.

namespace weir::grpc {

class Event {
 public:
  virtual ~Event() = default;
  virtual void fire(bool ok) = 0;
};

// An event that calls a member function of its owner.
template <class Owner, void (Owner::*function)(bool)>
class EventOf final : public Event {
 public:
  explicit EventOf(Owner& owner) : owner_(owner) {}
  void fire(bool ok) override { (owner_.*function)(ok); }

 private:
  Owner& owner_;
};

}  // namespace weir::grpc

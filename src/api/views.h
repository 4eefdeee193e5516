#pragma once

#include <string>

#include <boost/json/fwd.hpp>

#include "control/controller.h"
#include "control/feedback.h"
#include "ledger/ledger.h"
#include "metrics/registry.h"
#include "serve/admission.h"
#include "serve/comparison.h"
#include "serve/rate_limit.h"
#include "serve/recorder.h"
#include "serve/routes.h"
#include "serve/shadows.h"

// What the control API shows, as JSON. Its shapes are those of openapi.cc.

namespace weir::api {

// Where the numbers come from. Everything is borrowed and outlives the server.
struct Sources {
  control::Controller& controller;
  control::FeedbackDesk& feedback;
  ledger::Ledger* ledger;  // Null with --ledger off.
  serve::Routes& routes;
  serve::Admission& admission;
  serve::Recorder& recorder;
  serve::Shadows& shadows;
  serve::Comparison& comparison;
  metrics::Registry& registry;
  serve::RateLimit* rate_limit = nullptr;  // Null when there is none.
};

// EndpointStatus: versions, arms with counts and latency, rollout, comparisons, feedback.
boost::json::object endpoint_status(const control::EndpointView& view, const Sources& sources);

// EndpointSummary: name, primary version, stage; for lists.
boost::json::object endpoint_summary(const control::EndpointView& view);

// Rollout with its plan and history.
boost::json::object rollout_document(const rollout::RolloutState& state);

// ServerStatus: version, uptime, ledger, recorder, shadows, admission.
boost::json::object server_status(const Sources& sources, Moment started_at);

}  // namespace weir::api

#pragma once

#include <string>

#include <boost/json/fwd.hpp>

namespace weir::cli {

// EndpointStatus of the API, for people: stage, arms, comparisons, feedback.
std::string endpoint_text(const boost::json::object& status);

// ServerStatus and the list of endpoints.
std::string server_text(const boost::json::object& status, const boost::json::array& endpoints);

}  // namespace weir::cli

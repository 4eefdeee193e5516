#pragma once

#include <memory>

#include "base/result.h"
#include "table/packet.h"
#include "tensor/columns.h"

// Columns in packets, as they lie in memory: rows in bulk go between parent and child this way.

namespace weir::table {

void put_specs(Packet& packet, const tensor::ColumnSpecs& specs);
Result<tensor::ColumnSpecs> take_specs(Packet& packet);

void put_columns(Packet& packet, const tensor::Columns& columns);
// Fills columns of the same specs.
Result<void> take_columns(Packet& packet, tensor::Columns& columns);

}  // namespace weir::table

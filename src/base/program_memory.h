#pragma once

namespace weir {

// Gives the memory of machine code that has run so far back to the system, for the program and all
// its libraries: most of it was needed to start and is not needed again. The rest is mapped again
// from the files, without reading them from disk while they are cached, when it is next called.
void give_back_code();

}  // namespace weir

"""What the conformance suite asks servers of the Open Inference Protocol V2 with."""

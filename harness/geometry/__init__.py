"""Where a face is in the photograph and how it gets into the network: schemes, boxes, crops, coordinates, images."""

"""Named steps Graph -> Graph, most of them sums of Rules; one pass a file."""

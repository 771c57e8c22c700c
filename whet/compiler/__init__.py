"""The pipeline as one readable list: graph, passes, plan, C, build, artifact."""

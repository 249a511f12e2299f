"""Networks that learn from clusters of their own features, and what these clusters are."""

KIND = "clustering"
TASKS = ("seisvision.tasks.DeepClusterTask",)
EXPERIMENT = "ClusteringExperiment"
RESULT = "ClusteringResult"

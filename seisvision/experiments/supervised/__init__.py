"""Networks with outputs: trained on known values, judged beside baselines, asked about other samples."""

KIND = "supervised"
TASKS = ("seisvision.tasks.SupervisedTask",)
EXPERIMENT = "SupervisedExperiment"
RESULT = "SupervisedResult"

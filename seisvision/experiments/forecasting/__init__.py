"""Networks that say how many events come, beside the references that any forecast must beat."""

KIND = "forecast"
TASKS = ("seisvision.tasks.RateTask",)
EXPERIMENT = "ForecastExperiment"
RESULT = "ForecastResult"

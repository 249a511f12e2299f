"""A kind of experiment without any waveform: a number from the columns of a table."""

KIND = "experiment_on_tables"
TASKS = ("experiment_on_tables.task.TableTask",)
EXPERIMENT = "TableExperiment"
RESULT = "TableResult"

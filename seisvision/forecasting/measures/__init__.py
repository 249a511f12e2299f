"""What a forecast is worth. Forecasts are rates (W, C): events awaited in each of W windows and C cells.

================= ============================================================================
``blocks``        resamples of blocks of windows, for intervals of everything
``gains``         log-likelihood, information gain per event, the smallest gain that could be seen
``probabilities`` PR AUC, Brier skill and reliability of the chance of at least one event
``alarms``        Molchan's diagram, F1 and hits with the area under alarm
``csep``          the N, M, S, L, CL and T tests
``ties``          equal scores stand together
================= ============================================================================
"""

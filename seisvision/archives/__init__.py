"""Continuous recordings of any length to tables of picks, a day of a station at a time.

==================== ============================================================================
``listing``          which channels the files of an archive hold, and when
``sensor_days``      days of the sensor that is picked at each station
``losses``           what was not picked, with reason and seconds
``pieces``           the pieces of a sensor's channels in a span of time
``resampling``       a piece at the rate of the network, wherever its samples lie
``channel_grid``     the pieces of a channel on the time grid of the network, with what is not known
``sensor_grid``      the channels of a sensor as Z, N and E
``windows``          where windows lie, and what stands in them where nothing is known
``stacking``         curves of overlapping windows to one
``peaks``            curves to picks
``networks``         what gives curves, from a run, a checkpoint or published weights
``settings``         how an archive is picked
``day_picking``      one day of a sensor, in pieces that follow one another
``work_folder``      a file for every day that is done, and the tables made of all
``shares``           the days that one process, or one job of a cluster, does
``picking``          the whole: list, deal out, watch, put together
``pick_table``       the columns of a table of picks
``quakeml``          picks as QuakeML
``scoring``          how well two tables of picks agree
==================== ============================================================================
"""

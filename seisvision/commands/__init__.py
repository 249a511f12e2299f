"""What the words of the ``seisvision`` command do: a module for each, with ``add_arguments`` and ``run``."""

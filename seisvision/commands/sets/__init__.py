"""Commands on sets of data: made, imported, fetched, merged, checked, shown."""

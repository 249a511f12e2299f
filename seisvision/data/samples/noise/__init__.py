"""Windows of noise, cut from recordings before anything arrives."""

"""Pages for people: charts, style and script of HTML files that need no network and no server."""

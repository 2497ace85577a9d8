"""Every device of a lab behind one HTTP API: ``lab2mqtt http CONFIG``. See docs/http.md."""

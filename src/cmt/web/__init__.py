"""The page: a server (`server`), what it does (`studio`), and in `static` what browsers show."""

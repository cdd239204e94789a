"""The page: what it does (`studio`), what it is (`page`), what it looks like (`style`)."""

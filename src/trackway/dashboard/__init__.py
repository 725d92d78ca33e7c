"""The live dashboard: a server that only reads, and a page that shows.

`serve` starts it, `app` joins its parts, `guard` decides who may ask, `static` holds the built
page. Everything else answers questions about runs.
"""

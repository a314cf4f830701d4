"""Commands of ``taskgraph`` that this package brings, found by entry point; one file each."""

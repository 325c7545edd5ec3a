"""One rule a file. `bpfexit.advice.registry` lists them."""

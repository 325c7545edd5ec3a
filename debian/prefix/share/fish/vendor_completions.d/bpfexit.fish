# bpfexit's options and their values; click, which completes them, writes the function.
_BPFEXIT_COMPLETE=fish_source bpfexit | source

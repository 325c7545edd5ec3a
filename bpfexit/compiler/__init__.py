"""The compiler, a child process: the only one that loads bcc and clang, some 140 MB."""

"""The live kernel: plan, compile, load, count; the only importer of bcc."""

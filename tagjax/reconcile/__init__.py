"""From evidence to decisions that people can check, keep and export."""

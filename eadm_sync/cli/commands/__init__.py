"""The commands, by theme. Each module's `register` adds its commands to the program."""

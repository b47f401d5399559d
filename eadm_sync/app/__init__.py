"""The composition root: one function per use case, and the only place where the parts are put together."""

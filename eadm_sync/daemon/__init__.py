"""The long-running program: jobs by schedule, delivery without end, one leader among several."""

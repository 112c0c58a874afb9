"""`myriad doctor`: what is here, what fits, what it costs, and what to do about it."""

"""How a network is written down once: a drawing that is counted, built and run."""

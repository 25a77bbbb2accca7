"""Where cases are worked on: in threads of this process, or on a Dask cluster."""

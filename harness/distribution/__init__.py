"""Distribution of a sweep over processes and machines with Dask.

Workers compute ranges of batches; the driver alone writes the run folder. It fills the batch stores of the work folder,
and afterwards the ordinary sweep reads them, so that the run has the same bytes for any number of workers.
"""

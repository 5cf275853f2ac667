"""One thread for NumPy's linear algebra in the kernels of notebooks.

JAX has threads of its own. The matrices of a lesson are small, and BLAS threads that wait for each other would take twice the time.
"""

ONE_BLAS_THREAD = {f"{library}_NUM_THREADS": "1" for library in ("OPENBLAS", "OMP", "MKL")}

"""Official file formats of the benchmarks, read as they are published; numbers and image paths come out."""

"""Sets that lie in stores, behind http(s) or S3: addresses, ranged reads with limits, a bounded cache of blocks."""
